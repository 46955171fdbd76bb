# SPDX-License-Identifier: Apache-2.0
"""Write ``model-index.yml`` and the ``metafile.yml`` files from the names of the configs and docs/results.md.

Names say method, network, data and noise, and docs/results.md says what was measured: so that nobody has to keep some
170 entries in step by hand, and no figure gets into a metafile that is not in the page. openmim and mmpretrain need
files, not code, or the entries would not be files at all. A test compares them with what this tool writes.
"""

import re
import sys
from pathlib import Path
from typing import Any

# Work from a checkout, whether or not the package is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import yaml

from tcl_plugin.atomic import write_text
from tcl_plugin.cli import Parser
from tcl_plugin.errors import UserError, explained, run_tool
from tcl_plugin.explain import explain_files

ROOT = Path(__file__).resolve().parent.parent
COMMAND = 'python tools/write_metafiles.py'
HEADER = f"""\
# SPDX-License-Identifier: Apache-2.0
# Written by `{COMMAND}`, from the names of the configs and docs/results.md: do not edit.
# Top 1 Accuracy is that after the last epoch, Best Top 1 Accuracy the highest of any epoch, on average over the seeds.
# Models without results have not been measured.
"""

TCL = ('Twin Contrastive Learning with Noisy Labels', 'https://arxiv.org/abs/2303.06930')
FORWARD = (
    'Making Deep Neural Networks Robust to Label Noise: a Loss Correction Approach',
    'https://arxiv.org/abs/1609.03683',
)

# First word of a config's name -> name, paper (title and address), and code.
METHODS = {
    'tcl': ('TCL', TCL, 'algorithms/tcl.py'),
    'tclbaseline': ('TCL without noise handling', TCL, 'heads/tcl_head.py'),
    'tclloss': ('TCL, detection by loss', TCL, 'heads/tcl_head.py'),
    'tclknn': ('TCL, detection by neighbours', TCL, 'heads/tcl_head.py'),
    'tclsigma': ('TCL, estimated spread', TCL, 'heads/tcl_head.py'),
    'tclensemble': ('TCL, ensembled targets', TCL, 'heads/tcl_ensemble_head.py'),
    'tclnoreg': ('TCL without entropy regularisation', TCL, 'heads/tcl_head.py'),
    'tclnoalign': ('TCL without alignment', TCL, 'heads/tcl_head.py'),
    'tclmoco': ('TCL, MoCo', TCL, 'algorithms/tcl_moco.py'),
    'tclplus': ('TCL+', TCL, 'algorithms/tcl_plus.py'),
    'ce': ('Cross-entropy', None, 'algorithms/fast_classifier.py'),
    'gce': (
        'Generalised cross-entropy',
        (
            'Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels',
            'https://arxiv.org/abs/1805.07836',
        ),
        'losses/robust.py',
    ),
    'sce': (
        'Symmetric cross-entropy',
        ('Symmetric Cross Entropy for Robust Learning with Noisy Labels', 'https://arxiv.org/abs/1908.06112'),
        'losses/robust.py',
    ),
    'mixup': (
        'Mixup',
        ('mixup: Beyond Empirical Risk Minimization', 'https://arxiv.org/abs/1710.09412'),
        'algorithms/mixup.py',
    ),
    'elr': (
        'ELR',
        (
            'Early-Learning Regularization Prevents Memorization of Noisy Labels',
            'https://arxiv.org/abs/2007.00151',
        ),
        'heads/elr_head.py',
    ),
    'pencil': (
        'PENCIL',
        (
            'Probabilistic End-to-end Noise Correction for Learning with Noisy Labels',
            'https://arxiv.org/abs/1903.07788',
        ),
        'heads/pencil_head.py',
    ),
    'forward': ('Forward correction, matrix known', FORWARD, 'losses/forward_correction.py'),
    'forwardest': ('Forward correction, matrix estimated', FORWARD, 'losses/forward_correction.py'),
    'mcorrection': (
        'M-correction',
        ('Unsupervised Label Noise Modeling and Loss Correction', 'https://arxiv.org/abs/1904.11238'),
        'algorithms/m_correction.py',
    ),
}

# Word for the network -> architecture, on small images and on images of 224 pixels and more.
SMALL = {
    '': 'PreActResNet-18 of width 8',
    'r18': 'PreActResNet-18',
    'r18w16': 'PreActResNet-18 of width 16',
    'resnetcifar18': 'ResNet-18 for CIFAR, of width 8',
    'vit': 'Vision Transformer',
    'convnext': 'ConvNeXt',
}
LARGE = {'r18': 'ResNet-18', 'r50': 'ResNet-50', 'irv2': 'Inception-ResNet-v2'}

# Word for the data -> training data, and which networks suit it.
DATA = {
    'digits': ("scikit-learn's digits", SMALL),
    'fmnist': ('Fashion-MNIST', SMALL),
    'fmnist6k': ('Fashion-MNIST, 6,000 images', SMALL),
    'cifar10': ('CIFAR-10', SMALL),
    'cifar100': ('CIFAR-100', SMALL),
    'cifar10n': ('CIFAR-10N', SMALL),
    'cifar100n': ('CIFAR-100N', SMALL),
    'webvision': ('mini-WebVision', LARGE),
    'clothing1m': ('Clothing1M', LARGE),
    'animal10n': ('ANIMAL-10N', LARGE),
    'food101n': ('Food-101N', LARGE),
    'miniimagenet': ('mini-ImageNet with noise from the web', LARGE),
}

# What a section of docs/results.md measures, in the names of the configs.
MEASURED = {
    'Digits': '{method}_digits_{noise}',
    'Fashion-MNIST, 6,000 images': '{method}_r18w16_fmnist6k_{noise}',
}
ACCURACIES = {'last (%)': 'Top 1 Accuracy', 'best (%)': 'Best Top 1 Accuracy'}


# Names


def find_configs(root):
    """List the configs of experiments, but for those that leave values open: no model can be built of these by name.

    Args:
        root (Path): Root of the checkout.

    Returns:
        list[Path]: Their paths under the root, sorted.
    """
    paths = (path.relative_to(root) for path in (root / 'configs').rglob('*.py'))
    found = sorted(path for path in paths if '_base_' not in path.parts)
    return [path for path in found if not re.search(r'^auto_setup =', (root / path).read_text('utf-8'), re.MULTILINE)]


def read_name(name):
    """Take the name of a config apart; configs/README.md says what the parts mean.

    Args:
        name (str): Such as ``'tcl_r18_cifar10_sym90'``.

    Returns:
        tuple[str, dict]: The method, and the metadata of its entry.

    Raises:
        UserError: If a word is not known here.
    """
    method, *words = name.split('_')
    network = words.pop(0) if len(words) > 1 and words[0] not in DATA else ''
    data, *noise = words or ['']
    if method not in METHODS:
        raise UserError(f'config {name}: tools/write_metafiles.py does not know the method {method!r}: tell METHODS')
    if data not in DATA:
        raise UserError(f'config {name}: tools/write_metafiles.py does not know the data {data!r}: tell DATA')
    training_data, networks = DATA[data]
    if network not in networks:
        raise UserError(
            f'config {name}: tools/write_metafiles.py does not know the network {network!r} for {training_data}: '
            'tell SMALL or LARGE'
        )
    metadata = {'Training Data': training_data, 'Architecture': networks[network]}
    if noise and noise != ['ilsvrc12']:  # another test set, no noise
        metadata['Label Noise'] = '_'.join(noise)
    return method, metadata


# Results


def read_results(page):
    """Read the accuracies in docs/results.md.

    Args:
        page (str): Its text.

    Returns:
        dict[str, dict[str, float]]: Accuracies in per cent by the name of the config, or what it would be: a sweep
        also measures noises that have no config of their own.

    Raises:
        UserError: If a section has no table of them, so that a page of another form is noticed.
    """
    results: dict[str, dict[str, float]] = {}
    sections = dict(re.findall(r'^## (.+?)\n(.*?)(?=^## |\Z)', page, re.MULTILINE | re.DOTALL))
    for title, pattern in MEASURED.items():
        found = dict(_read_section(sections.get(title, ''), pattern))
        if not found:
            raise UserError(
                f'docs/results.md has no section {title!r} with a table of {", ".join(ACCURACIES)} below a line that '
                'says the noise (sym80: ...): tell MEASURED in tools/write_metafiles.py what has become of it'
            )
        results |= found
    return results


def _read_section(text, pattern):
    """Yield names and accuracies of all tables, each of which belongs to the noise that was named last."""
    noise, columns = None, None
    for line in text.splitlines():
        named = re.search(r'\b(a?sym\d+): \d', line)
        noise = named[1] if named else noise
        cells = [cell.strip() for cell in line.strip('|').split('|')] if line.startswith('|') else None
        if cells and 'config' in cells and ACCURACIES.keys() <= set(cells):
            columns = cells
        elif cells is None:
            columns = None
        elif columns and noise and len(cells) == len(columns):
            row = dict(zip(columns, cells, strict=True))
            if all(re.match(r'\d', row[column]) for column in ACCURACIES):
                name = pattern.format(method=row['config'].strip('`'), noise=noise)
                yield name, {key: float(row[column].split()[0]) for column, key in ACCURACIES.items()}


# Files


def to_collection(method):
    """Say what the configs of a method have in common.

    Args:
        method (str): First word of their names.

    Returns:
        dict: The entry under ``Collections``.
    """
    name, paper, code = METHODS[method]
    entry: dict[str, Any] = {'Name': name}
    if paper:
        entry['Paper'] = dict(zip(('Title', 'URL'), paper, strict=True))
    return entry | {'Code': f'tcl_plugin/models/{code}'}


def to_model(path, results):
    """Say what a config is.

    Args:
        path (Path): Its path under the root.
        results (dict[str, dict[str, float]]): See :func:`read_results`.

    Returns:
        dict: The entry under ``Models``.
    """
    method, metadata = read_name(path.stem)
    entry = {
        'Name': path.stem,
        'In Collection': METHODS[method][0],
        'Config': path.as_posix(),
        'Metadata': metadata,
    }
    if path.stem in results:
        data = f'{metadata["Training Data"]}, {metadata["Label Noise"]}'
        entry['Results'] = [{'Task': 'Image Classification', 'Dataset': data, 'Metrics': results[path.stem]}]
    return entry


def make_files(root):
    """Write all files, in memory.

    Args:
        root (Path): Root of the checkout.

    Returns:
        dict[Path, str]: Texts by their paths under the root.

    Raises:
        UserError: If names or the page cannot be read.
    """
    paths = find_configs(root)
    results = read_results((root / 'docs' / 'results.md').read_text(encoding='utf-8'))
    by_folder: dict[Path, list[Path]] = {}
    for path in paths:
        by_folder.setdefault(path.parent, []).append(path)
    files = {folder / 'metafile.yml': _metafile(inside, results) for folder, inside in by_folder.items()}
    imports = [path.as_posix() for path in files]
    return {
        Path('model-index.yml'): f'# Written by `{COMMAND}`: do not edit.\n{_to_yaml(dict(Import=imports))}'
    } | files


def _metafile(paths, results):
    methods = sorted({path.stem.split('_')[0] for path in paths}, key=list(METHODS).index)
    models = [to_model(path, results) for path in paths]
    return HEADER + _to_yaml(dict(Collections=[to_collection(method) for method in methods], Models=models))


def _to_yaml(content):
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=119)


def write_metafiles(argv=None):
    """Write all files.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.
    """
    Parser(
        prog='write_metafiles.py',
        description='Write model-index.yml and configs/**/metafile.yml from the names of the configs and '
        'docs/results.md; after adding a config, or a row to that page.',
    ).parse_args(argv)
    with explained(explain_files):
        for path, text in make_files(ROOT).items():
            write_text(ROOT / path, text)
            print(path)


def main(argv=None):
    """Run the tool.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        int: The exit code.
    """
    return run_tool(write_metafiles, argv)


if __name__ == '__main__':
    sys.exit(main())
