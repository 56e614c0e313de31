/* LD_PRELOAD: faults of the disk below DISKFAULT_DIR, as the file DISKFAULT_CONTROL says now: "enospc",
 * "erofs", "eio" for writes; "syncfail" for syncs; "slow N" sleeps N ms before each sync. Nothing when it is
 * empty or not there. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void said(char *word, size_t size) {
    word[0] = 0;
    const char *control = getenv("DISKFAULT_CONTROL");
    int fd = control ? syscall(SYS_openat, AT_FDCWD, control, O_RDONLY, 0) : -1;
    if (fd < 0) return;
    ssize_t n = syscall(SYS_read, fd, word, size - 1);
    word[n > 0 ? n : 0] = 0;
    syscall(SYS_close, fd);
}
static int ours(int fd) {
    const char *dir = getenv("DISKFAULT_DIR");
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (!dir || n < 0) return 0;
    path[n] = 0;
    return !strncmp(path, dir, strlen(dir));
}
static int gate(int fd, int sync) {
    char word[64];
    if (!ours(fd)) return 0;
    said(word, sizeof word);
    if (!strncmp(word, "slow ", 5)) { if (sync) usleep(atoi(word + 5) * 1000); return 0; }
    if (!strncmp(word, "syncfail", 8)) { if (sync) errno = EIO; return sync; }
    if (!strncmp(word, "eio", 3)) { errno = EIO; return 1; }
    if (sync) return 0;
    if (!strncmp(word, "enospc", 6)) { errno = ENOSPC; return 1; }
    if (!strncmp(word, "erofs", 5)) { errno = EROFS; return 1; }
    return 0;
}
ssize_t write(int fd, const void *b, size_t n) { return gate(fd, 0) ? -1 : syscall(SYS_write, fd, b, n); }
ssize_t pwrite(int fd, const void *b, size_t n, off_t at) { return gate(fd, 0) ? -1 : syscall(SYS_pwrite64, fd, b, n, at); }
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t at) { return gate(fd, 0) ? -1 : syscall(SYS_pwrite64, fd, b, n, at); }
int ftruncate(int fd, off_t n) { return gate(fd, 0) ? -1 : syscall(SYS_ftruncate, fd, n); }
int ftruncate64(int fd, off64_t n) { return gate(fd, 0) ? -1 : syscall(SYS_ftruncate, fd, n); }
int fsync(int fd) { return gate(fd, 1) ? -1 : syscall(SYS_fsync, fd); }
int fdatasync(int fd) { return gate(fd, 1) ? -1 : syscall(SYS_fdatasync, fd); }
