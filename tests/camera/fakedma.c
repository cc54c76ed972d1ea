/* Stand in for /dev/udmabuf and /dev/dma_heap, which a plain machine or container lacks, with anonymous memory.
 *
 * libcamera's software pipelines export their buffers as dma-bufs. Nothing but the CPU touches them here, so memory from
 * memfd_create serves. Preload it: LD_PRELOAD=./fakedma.so. Test only. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MAX_FD = 4096 };
static unsigned char stands_in[MAX_FD];

static int provider(const char *path) {
    return path && (!strcmp(path, "/dev/udmabuf") || !strncmp(path, "/dev/dma_heap/", 14));
}

#define OPEN(name)                                                                        \
    int name(const char *path, int flags, ...) {                                          \
        static int (*next)(const char *, int, ...);                                       \
        if (!next) next = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name);       \
        va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
        int fake = provider(path), fd = fake ? next("/dev/null", O_RDWR | O_CLOEXEC) : next(path, flags, mode); \
        if (fd >= 0 && fd < MAX_FD) stands_in[fd] = (unsigned char)fake;                  \
        return fd;                                                                        \
    }
OPEN(open)
OPEN(open64)

static int allocate(struct dma_heap_allocation_data *wanted) {
    int fd = memfd_create("buffer", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)wanted->len)) return -1;
    wanted->fd = (unsigned)fd;
    return 0;
}

int ioctl(int fd, unsigned long request, ...) {
    static int (*next)(int, unsigned long, ...);
    if (!next) next = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    va_list rest; va_start(rest, request); void *argument = va_arg(rest, void *); va_end(rest);
    int fake = fd >= 0 && fd < MAX_FD && stands_in[fd];
    if (fake && request == (unsigned long)UDMABUF_CREATE)
        return fcntl((int)((struct udmabuf_create *)argument)->memfd, F_DUPFD_CLOEXEC, 0);
    if (fake && request == (unsigned long)DMA_HEAP_IOCTL_ALLOC) return allocate(argument);
    int result = next(fd, request, argument);
    /* Plain memory knows no cache synchronization and no names: both are no-ops here. */
    if (result < 0 && _IOC_TYPE(request) == DMA_BUF_BASE && (errno == ENOTTY || errno == EINVAL)) return 0;
    return result;
}
