"""Disks that have as little room as is wanted: a tmpfs, which needs root, and a limit of the size of files. For full_disk.py."""
import ctypes, os, resource, shutil, time

PAGE, AMPLE = 4096, 1 << 28


class Tmpfs:
    """A page is taken by a file that stays: a tmpfs of size 0 would have no limit."""

    def __init__(self, folder):
        self.folder, self.libc = folder, ctypes.CDLL(None, use_errno=True)
        self.mounted = self.mount(0, AMPLE)

    def mount(self, flags, size):
        return self.libc.mount(b"none", self.folder.encode(), b"tmpfs", flags, f"size={size}".encode()) == 0

    def empty(self):
        self.limit(AMPLE)
        for name in os.listdir(self.folder):
            path = f"{self.folder}/{name}"
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
        with open(f"{self.folder}/page", "wb") as f:
            f.write(bytes(PAGE))

    def used(self):
        s = os.statvfs(self.folder)
        return (s.f_blocks - s.f_bfree) * s.f_frsize

    def limit(self, size):
        while not self.mount(32, max(size, self.used())):  # MS_REMOUNT; refused below what is used by then
            pass

    def close(self):
        while self.mounted and self.libc.umount2(self.folder.encode(), 2) != 0:  # MNT_DETACH
            time.sleep(0.1)


class FileSize:
    """In place of a disk: no file may be larger."""

    def __init__(self, folder):
        self.folder, self.size = folder, resource.RLIM_INFINITY

    def empty(self):
        shutil.rmtree(self.folder)
        os.makedirs(self.folder)
        self.limit(AMPLE)

    def used(self):
        return 0

    def limit(self, size):
        self.size = resource.RLIM_INFINITY if size >= AMPLE else size

    def close(self):
        pass
