# SPDX-License-Identifier: Apache-2.0
"""Memory of this process."""

import re
import resource
from pathlib import Path


def peak_bytes() -> int:
    """Most memory that this process has held.

    On Linux the kernel's own mark, which begins with the program: that of ``getrusage`` begins with the
    process, so that one started by a large program would count what that one held.

    Returns:
        int: Bytes.
    """
    try:
        status = Path('/proc/self/status').read_text(encoding='ascii')
    except OSError:  # no Linux
        status = ''
    found = re.search(r'^VmHWM:\s*(\d+) kB$', status, re.MULTILINE)
    return 1024 * (int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
