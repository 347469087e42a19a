#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "view.h"

#define ATTACH_LIMIT_MS 2000u
#define CALL_LIMIT_MS 10000u
#define SLICE_MS 100 /* between two looks at the clock and the heartbeat */
#define MOST_DESCRIPTORS 8

const char *vgm_host_path(void)
{
    const char *path = secure_getenv("VGPU_MIGRATE_HOST");
    return path != NULL && path[0] != '\0' ? path : NULL;
}

/* Whether a transfer that stopped with this errno may go on. */
static bool may_go_on(struct vgm_view *view, uint64_t deadline_ms)
{
    if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)
        return false;
    return vgm_now_ms() < deadline_ms && (view == NULL || vgm_is_alive(view));
}

/* A path as a socket's address. One that is too long goes through a descriptor of its directory, which the caller
   closes; it is -1 where there is none. */
static bool spell(const char *path, struct sockaddr_un *address, int *folder)
{
    *folder = -1;
    if (strlen(path) < sizeof address->sun_path) {
        strcpy(address->sun_path, path);
        return true;
    }
    char parent[PATH_MAX];
    const char *name = strrchr(path, '/');
    size_t length = name != NULL ? (size_t)(name - path) : 0;
    if (length == 0 || length >= sizeof parent)
        return false;
    memcpy(parent, path, length);
    parent[length] = '\0';
    *folder = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int written = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d%s", *folder, name);
    return *folder >= 0 && written > 0 && (size_t)written < sizeof address->sun_path;
}

static int connect_to(const char *path, struct vgm_view *view, uint64_t deadline_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval slice = {.tv_usec = SLICE_MS * 1000};
    int folder, socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket_fd < 0)
        return -1;
    bool is_connected = false;
    if (spell(path, &address, &folder) &&
        setsockopt(socket_fd, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof slice) == 0 &&
        setsockopt(socket_fd, SOL_SOCKET, SO_SNDTIMEO, &slice, sizeof slice) == 0)
        do
            is_connected = connect(socket_fd, (const struct sockaddr *)&address, sizeof address) == 0;
        while (!is_connected && may_go_on(view, deadline_ms)); /* a signal, or more who wait than have room */
    if (folder >= 0)
        close(folder);
    if (is_connected)
        return socket_fd;
    close(socket_fd);
    return -1;
}

static bool send_all(int socket_fd, struct vgm_view *view, const void *data, size_t size, uint64_t deadline_ms)
{
    const char *from = data;
    while (size > 0) {
        ssize_t sent = send(socket_fd, from, size, MSG_NOSIGNAL);
        if (sent > 0) {
            from += sent;
            size -= (size_t)sent;
        } else if (!may_go_on(view, deadline_ms)) {
            return false;
        }
    }
    return true;
}

struct received {
    int descriptors[MOST_DESCRIPTORS];
    int count;
};

static void keep_descriptors(struct msghdr *message, struct received *received)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof descriptor);
            if (received->count < MOST_DESCRIPTORS)
                received->descriptors[received->count++] = descriptor;
            else
                close(descriptor);
        }
    }
}

static bool receive_all(int socket_fd, struct vgm_view *view, void *data, size_t size, uint64_t deadline_ms,
                        struct received *received)
{
    char *to = data;
    while (size > 0) {
        union {
            struct cmsghdr aligned;
            char bytes[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))];
        } control;
        struct iovec part = {.iov_base = to, .iov_len = size};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        if (received != NULL) {
            message.msg_control = control.bytes;
            message.msg_controllen = sizeof control.bytes;
        }
        ssize_t got = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
        if (got > 0) {
            if (received != NULL)
                keep_descriptors(&message, received);
            to += got;
            size -= (size_t)got;
        } else if (got == 0 || !may_go_on(view, deadline_ms)) {
            return false;
        }
    }
    return true;
}

static bool is_message(const struct vgm_message *head, uint32_t kind, size_t length)
{
    return head->magic == VGM_MESSAGE_MAGIC && head->kind == kind && head->length == length;
}

nvmlReturn_t vgm_ask_descriptors(const char *path, int descriptors[2])
{
    const struct vgm_message question = {.magic = VGM_MESSAGE_MAGIC, .kind = VGM_ATTACH};
    struct {
        struct vgm_message head;
        int32_t status;
    } answer;
    struct received received = {.count = 0};
    uint64_t deadline_ms = vgm_now_ms() + ATTACH_LIMIT_MS;
    nvmlReturn_t code = NVML_ERROR_DRIVER_NOT_LOADED;
    int socket_fd = connect_to(path, NULL, deadline_ms);
    if (socket_fd < 0)
        return code;
    if (send_all(socket_fd, NULL, &question, sizeof question, deadline_ms) &&
        receive_all(socket_fd, NULL, &answer, sizeof answer, deadline_ms, &received) &&
        is_message(&answer.head, VGM_ATTACH, sizeof answer.status)) {
        if (answer.status == NVML_SUCCESS && received.count == 2)
            code = NVML_SUCCESS;
        else if (answer.status > NVML_SUCCESS && answer.status <= NVML_ERROR_UNKNOWN)
            code = (nvmlReturn_t)answer.status;
    }
    close(socket_fd);
    for (int i = 0; i < received.count; i++) {
        if (code == NVML_SUCCESS)
            descriptors[i] = received.descriptors[i];
        else
            close(received.descriptors[i]);
    }
    return code;
}

nvmlReturn_t vgm_send_call(struct vgm_view *view, const struct vgm_call_body *body)
{
    struct {
        struct vgm_message head;
        struct vgm_call_body body;
    } question = {{.magic = VGM_MESSAGE_MAGIC, .kind = VGM_CALL, .length = sizeof *body}, *body};
    struct {
        struct vgm_message head;
        struct vgm_call_answer answer;
    } answer;
    uint64_t deadline_ms = vgm_now_ms() + CALL_LIMIT_MS;
    int socket_fd = connect_to(view->path, view, deadline_ms);
    if (socket_fd < 0)
        return NVML_ERROR_DRIVER_NOT_LOADED;
    nvmlReturn_t code = NVML_ERROR_UNKNOWN;
    if (send_all(socket_fd, view, &question, sizeof question, deadline_ms) &&
        receive_all(socket_fd, view, &answer, sizeof answer, deadline_ms, NULL)) {
        if (is_message(&answer.head, VGM_CALL, sizeof answer.answer) && answer.answer.code >= 0)
            code = (nvmlReturn_t)answer.answer.code;
    } else if (vgm_now_ms() >= deadline_ms) {
        code = NVML_ERROR_TIMEOUT;
    } else {
        code = NVML_ERROR_DRIVER_NOT_LOADED;
    }
    close(socket_fd);
    return code;
}
