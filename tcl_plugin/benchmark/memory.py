# SPDX-License-Identifier: Apache-2.0
"""Memory of this process."""

import re
import sys
from pathlib import Path

from ..errors import UserError


def require_linux() -> None:
    """Refuse to measure on other systems.

    Raises:
        UserError: If this is no Linux.
    """
    if sys.platform != 'linux':
        raise UserError(f'Linux only: on {sys.platform} the memory of a process is not told in this way')


def peak_bytes() -> int:
    """Most memory that this process has held.

    Linux only. The kernel's own mark begins with the program: that of ``getrusage``, for kernels without the mark,
    begins with the process, so that one started by a large program counts what that one held.

    Returns:
        int: Bytes.
    """
    import resource  # which Windows lacks

    status = Path('/proc/self/status').read_text(encoding='ascii')
    found = re.search(r'^VmHWM:\s*(\d+) kB$', status, re.MULTILINE)
    return 1024 * (int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
