/* For LD_PRELOAD: each sync waits for as many milliseconds as the file named by SLOWSYNC_FILE says, so
   that a test can make a disk slow, and quick again, under a process that runs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Waits in short steps: a file that says 0 meanwhile ends the wait. */
static void wait_as_told(void) {
    const char *path = getenv("SLOWSYNC_FILE");
    for (long waited = 0; path; waited += 20) {
        char text[16] = {0};
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0) return;
        ssize_t got = read(file, text, sizeof text - 1);
        close(file);
        if (got <= 0 || waited >= atol(text)) return;
        struct timespec step = {0, 20 * 1000 * 1000};
        nanosleep(&step, 0);
    }
}

typedef int (*sync_call)(int);

int fsync(int file) {
    wait_as_told();
    return ((sync_call)dlsym(RTLD_NEXT, "fsync"))(file);
}

int fdatasync(int file) {
    wait_as_told();
    return ((sync_call)dlsym(RTLD_NEXT, "fdatasync"))(file);
}
