"""Disks that have as little room as is wanted. Three need root: a tmpfs of few pages, one of few files, and a quota of btrfs. The
fourth is a limit of the size of files. For full_disk.py; sizes are bytes, of Inodes a page for each file."""
import ctypes, os, re, resource, shutil, subprocess, time

PAGE, AMPLE = 4096, 1 << 28


def remove_all(folder):
    for name in os.listdir(folder):
        path = f"{folder}/{name}"
        shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)


class Tmpfs:
    """A page is taken by a file that stays: a tmpfs of size 0 would have no limit."""
    name, shrinks = "tmpfs", True

    def __init__(self, folder):
        self.folder, self.libc = folder, ctypes.CDLL(None, use_errno=True)
        self.mounted = self.mount(0, AMPLE)

    def mount(self, flags, size):
        return self.libc.mount(b"none", self.folder.encode(), b"tmpfs", flags, self.option(size).encode()) == 0

    def option(self, size):
        return f"size={size}"

    def empty(self):
        self.limit(AMPLE)
        remove_all(self.folder)
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


class Inodes(Tmpfs):
    """Room for bytes, but for few files and folders."""
    name = "inodes"

    def option(self, size):
        return f"size={AMPLE},nr_inodes={size // PAGE}"

    def used(self):
        s = os.statvfs(self.folder)
        return (s.f_files - s.f_ffree) * PAGE


class Quota:
    """A subvolume of a btrfs in a file, with a limit of its quota group: EDQUOT where others have ENOSPC. What is there may be
    more than the limit; then nothing more can be written."""
    name, shrinks = "quota of btrfs", True

    def __init__(self, folder):
        self.image, self.top, self.mounted = f"{folder}.img", f"{folder}.top", False
        self.folder = f"{self.top}/disk"
        with open(self.image, "wb") as f:
            f.truncate(4 * AMPLE)
        os.mkdir(self.top)
        self.must("mkfs.btrfs", "-q", "-m", "single", "-d", "single", "-n", str(PAGE), self.image)
        self.must("mount", "-o", "loop", self.image, self.top)
        self.mounted = True
        self.must("btrfs", "subvolume", "create", self.folder)
        self.must("btrfs", "quota", "enable", self.top)
        self.must("btrfs", "quota", "rescan", "-w", self.top)
        self.group = "0/" + self.must("btrfs", "inspect-internal", "rootid", self.folder).strip()

    def must(self, *words):
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            self.close()
            raise SystemExit(f"{' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def empty(self):
        self.limit(AMPLE)
        remove_all(self.folder)

    def used(self):
        self.must("btrfs", "filesystem", "sync", self.folder)
        shown = self.must("btrfs", "qgroup", "show", "--raw", "-f", self.folder)
        return int(re.search(rf"^{self.group}\s+(\d+)", shown, re.M)[1])

    def limit(self, size):
        # Asked of the top: a subvolume that has reached its limit cannot even be given another.
        self.must("btrfs", "qgroup", "limit", str(max(size, PAGE)), self.group, self.top)

    def close(self):
        while self.mounted and subprocess.run(["umount", "-l", self.top]).returncode != 0:
            time.sleep(0.1)
        self.mounted = False


class FileSize:
    """In place of a disk: no file may be larger."""
    name, shrinks = "file size", False

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
