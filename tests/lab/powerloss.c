/* LD_PRELOAD: an undo journal of what a process writes to files below POWERLOSS_DIR and has not synced.
 * Each entry is appended to POWERLOSS_JOURNAL before the write it can undo: kind, file, offset, length,
 * length of the old content, old size of the file (64-bit numbers of this machine), and the old content.
 * Kinds: 1 a file's path, 2 a write, 3 a cut, 4 a sync that has returned. Memory-mapped files (-shm) are no
 * promise to anybody and are left out. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FDS 4096
static int known[FDS]; /* 0: not looked at, -1: not ours, else the file's number */
static char *paths[1024];
static int files;
static int journal = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static ssize_t raw_write(int fd, const void *b, size_t n) { return syscall(SYS_write, fd, b, n); }

static void entry(uint64_t kind, uint64_t file, uint64_t at, uint64_t len, uint64_t old_size, const void *old, uint64_t old_len) {
    uint64_t head[6] = {kind, file, at, len, old_len, old_size};
    char *all = malloc(sizeof head + old_len);
    memcpy(all, head, sizeof head);
    if (old_len) memcpy(all + sizeof head, old, old_len);
    raw_write(journal, all, sizeof head + old_len);
    free(all);
}

static int file_of(int fd) {
    if (fd < 0 || fd >= FDS) return -1;
    if (known[fd]) return known[fd];
    const char *dir = getenv("POWERLOSS_DIR"), *to = getenv("POWERLOSS_JOURNAL");
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (!dir || !to || n < 0) return -1;
    path[n] = 0;
    size_t d = strlen(dir);
    if (strncmp(path, dir, d) || (n > 4 && !strcmp(path + n - 4, "-shm")) || strstr(path, "spool.lock")) return known[fd] = -1;
    struct stat st;
    if (fstat(fd, &st) || S_ISDIR(st.st_mode)) return known[fd] = -1;
    if (journal < 0) journal = syscall(SYS_openat, AT_FDCWD, to, O_CREAT | O_APPEND | O_WRONLY, 0600);
    for (int i = 1; i <= files; i++)
        if (!strcmp(paths[i], path)) return known[fd] = i;
    if (files + 1 >= 1024) return known[fd] = -1;
    paths[++files] = strdup(path);
    entry(1, files, 0, n, 0, path, n);
    return known[fd] = files;
}

static uint64_t size_of(int fd) { struct stat st; return fstat(fd, &st) ? 0 : (uint64_t)st.st_size; }

static void before(int fd, uint64_t kind, uint64_t at, uint64_t len) {
    int file = file_of(fd);
    if (file < 0) return;
    uint64_t size = size_of(fd);
    uint64_t from = at, to = kind == 3 ? size : at + len;
    if (to > size) to = size;
    uint64_t n = to > from ? to - from : 0;
    char *old = malloc(n + 1);
    /* The descriptor may be for writing alone. */
    int reader = syscall(SYS_openat, AT_FDCWD, paths[file], O_RDONLY, 0);
    ssize_t got = reader < 0 ? 0 : syscall(SYS_pread64, reader, old, n, from);
    if (reader >= 0) syscall(SYS_close, reader);
    entry(kind, file, at, len, size, old, got < 0 ? 0 : got);
    free(old);
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = dlsym(RTLD_NEXT, #name)
#define LOCKED(body) pthread_mutex_lock(&lock); body; pthread_mutex_unlock(&lock)

ssize_t write(int fd, const void *b, size_t n) {
    ssize_t r;
    LOCKED({ if (file_of(fd) > 0) { off_t at = lseek(fd, 0, SEEK_CUR); before(fd, 2, at, n); } });
    r = raw_write(fd, b, n);
    return r;
}
ssize_t pwrite(int fd, const void *b, size_t n, off_t at) { LOCKED(before(fd, 2, at, n)); return syscall(SYS_pwrite64, fd, b, n, at); }
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t at) { LOCKED(before(fd, 2, at, n)); return syscall(SYS_pwrite64, fd, b, n, at); }
int ftruncate(int fd, off_t n) { LOCKED(before(fd, 3, n, 0)); return syscall(SYS_ftruncate, fd, n); }
int ftruncate64(int fd, off64_t n) { LOCKED(before(fd, 3, n, 0)); return syscall(SYS_ftruncate, fd, n); }
static int synced(int fd, int r) { if (r == 0) { LOCKED({ int f = file_of(fd); if (f > 0) entry(4, f, 0, 0, 0, 0, 0); }); } return r; }
int fsync(int fd) { return synced(fd, syscall(SYS_fsync, fd)); }
int fdatasync(int fd) { return synced(fd, syscall(SYS_fdatasync, fd)); }
int close(int fd) { if (fd >= 0 && fd < FDS) known[fd] = 0; return syscall(SYS_close, fd); }
