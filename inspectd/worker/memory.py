"""Memory of a process that needs the same large arrays over and over."""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
_LARGE = 1 << 30  # bytes: larger than any array of a batch; glibc takes at most 2 GB, and for mmap 32 MB


def keep_freed() -> None:
    """Have glibc keep what was freed: else it returns each batch's arrays to the kernel and takes them back, page by page.

    mallopt(3). With another C library nothing happens.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, 32 << 20)
        libc.mallopt(_M_TRIM_THRESHOLD, _LARGE)
