/* Preloaded into a test's process: fails or tears the n-th change of a file under a folder, or writes all of them down.
 *
 * Armed from Python by shim_arm(); see outbox_shim.py. Not thread safe: tests use it in processes with one thread.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { OFF = 0, FAIL_ONCE = 1, FAIL_ON = 2, TEAR = 3, RECORD = 4 };

static char folder[4096];
static int mode = OFF, error_code = EIO, log_handle = -1;
static long fail_at = -1, seen = 0;

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static ssize_t really_write(int handle, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    return real(handle, data, size);
}

void shim_arm(const char *under, int new_mode, long at, int code, const char *log) {
    strncpy(folder, under, sizeof folder - 1);
    mode = new_mode, fail_at = at, error_code = code, seen = 0;
    if (new_mode == RECORD) log_handle = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
}

long shim_seen(void) { return seen; }

static int is_ours(const char *path) { return mode != OFF && *folder && !strncmp(path, folder, strlen(folder)); }

static int path_of(int handle, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
    ssize_t length = readlink(link, path, size - 1);
    if (length < 0) return 0;
    path[length] = 0;
    char *deleted = strstr(path, " (deleted)");
    if (deleted) *deleted = 0;
    return is_ours(path);
}

/* One line per change: what, path, offset or other path, size; the data behind it. */
static void note_down(const char *what, const char *path, const char *other, long offset, const void *data, size_t size) {
    char line[9000];
    int length = snprintf(line, sizeof line, "%s\t%s\t%s\t%ld\t%zu\n", what, path, other, offset, size);
    really_write(log_handle, line, length);
    if (size) really_write(log_handle, data, size);
}

void shim_mark(const char *text) { if (mode == RECORD) note_down("mark", text, "", 0, NULL, 0); }

/* 0: go on. 1: errno is set, fail. 2: write half of it, then end the process. */
static int fate(void) {
    if (mode == RECORD) return 0;
    long number = seen++;
    if (mode == TEAR && number == fail_at) return 2;
    if ((mode == FAIL_ONCE && number == fail_at) || (mode == FAIL_ON && number >= fail_at)) {
        errno = error_code;
        return 1;
    }
    return 0;
}

ssize_t write(int handle, const void *data, size_t size) {
    char path[4200];
    if (mode == OFF || !path_of(handle, path, sizeof path)) return really_write(handle, data, size);
    long offset = lseek(handle, 0, SEEK_CUR);
    int what = fate();
    if (what == 1) return -1;
    if (what == 2) { really_write(handle, data, size / 2); _exit(77); }
    if (mode == RECORD) note_down("write", path, "", offset, data, size);
    return really_write(handle, data, size);
}

static ssize_t positioned(ssize_t (*real)(int, const void *, size_t, off_t), int handle, const void *data, size_t size, off_t at) {
    char path[4200];
    if (mode == OFF || !path_of(handle, path, sizeof path)) return real(handle, data, size, at);
    int what = fate();
    if (what == 1) return -1;
    if (what == 2) { real(handle, data, size / 2, at); _exit(77); }
    if (mode == RECORD) note_down("write", path, "", at, data, size);
    return real(handle, data, size, at);
}

ssize_t pwrite(int handle, const void *data, size_t size, off_t at) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    return positioned(real, handle, data, size, at);
}

ssize_t pwrite64(int handle, const void *data, size_t size, off_t at) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off_t);
    return positioned(real, handle, data, size, at);
}

static int synced(int (*real)(int), int handle) {
    char path[4200];
    if (mode == OFF || !path_of(handle, path, sizeof path)) return real(handle);
    int what = fate();
    if (what == 1) return -1;
    if (what == 2) _exit(77);
    if (mode == RECORD) note_down("sync", path, "", 0, NULL, 0);
    return real(handle);
}

int fsync(int handle) { REAL(int, "fsync", int); return synced(real, handle); }
int fdatasync(int handle) { REAL(int, "fdatasync", int); return synced(real, handle); }

static int cut(int (*real)(int, off_t), int handle, off_t size) {
    char path[4200];
    if (mode == OFF || !path_of(handle, path, sizeof path)) return real(handle, size);
    int what = fate();
    if (what == 1) return -1;
    if (what == 2) _exit(77);
    if (mode == RECORD) note_down("cut", path, "", size, NULL, 0);
    return real(handle, size);
}

int ftruncate(int handle, off_t size) { REAL(int, "ftruncate", int, off_t); return cut(real, handle, size); }
int ftruncate64(int handle, off_t size) { REAL(int, "ftruncate64", int, off_t); return cut(real, handle, size); }

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    if (!is_ours(from)) return real(from, to);
    int what = fate();
    if (what == 1) return -1;
    if (what == 2) _exit(77);
    if (mode == RECORD) note_down("rename", from, to, 0, NULL, 0);
    return real(from, to);
}

int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    if (!is_ours(path)) return real(path);
    int what = fate();
    if (what == 1) return -1;
    if (what == 2) _exit(77);
    if (mode == RECORD && !access(path, F_OK)) note_down("unlink", path, "", 0, NULL, 0);
    return real(path);
}

static int opened(int (*real)(const char *, int, ...), const char *path, int flags, mode_t rights) {
    if (!(flags & O_CREAT) || !is_ours(path) || !access(path, F_OK)) return real(path, flags, rights);
    int what = fate();
    if (what == 1) return -1;
    if (what == 2) _exit(77);
    int handle = real(path, flags, rights);
    if (mode == RECORD && handle >= 0) note_down("make", path, "", 0, NULL, 0);
    return handle;
}

#define RIGHTS \
    mode_t rights = 0; \
    if (flags & O_CREAT) { va_list more; va_start(more, flags); rights = va_arg(more, mode_t); va_end(more); }

int open(const char *path, int flags, ...) { RIGHTS REAL(int, "open", const char *, int, ...); return opened(real, path, flags, rights); }
int open64(const char *path, int flags, ...) { RIGHTS REAL(int, "open64", const char *, int, ...); return opened(real, path, flags, rights); }
