/*
 * The floor: only what the kernel must do to run one program in a container of the default configuration on cgroup v1
 * or v2, with all decided beforehand. No runtime that makes such a container can be quicker than the kernel is here.
 *
 * usage: floor ROOTFS MEMORY-LIMIT CGROUP-DIRECTORY...      (limit in bytes; 0 is none; one directory a hierarchy)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(call) do { if ((call) < 0) { perror(#call); _exit(99); } } while (0)
#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

static const unsigned long HARMLESS = MS_NOSUID | MS_NOEXEC | MS_NODEV;
static char buffer[512];

static char *in(const char *directory, const char *file)
{
    snprintf(buffer, sizeof buffer, "%s/%s", directory, file);
    return buffer;
}

static int put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    if (fd < 0)
        return -1;
    int written = write(fd, text, strlen(text));
    close(fd);
    return written;
}

static void copy_from_parent(const char *directory, const char *file)
{
    char parent[600], text[256];
    snprintf(parent, sizeof parent, "%s/../%s", directory, file);
    int fd = open(parent, O_RDONLY);
    if (fd < 0)
        return;
    int length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length > 0) {
        text[length] = 0;
        MUST(put(in(directory, file), text));
    }
}

static void make_cgroups(int count, char **directories, const char *limit)
{
    for (int i = 0; i < count; i++) {
        const char *directory = directories[i];
        MUST(mkdir(directory, 0755));
        if (access(in(directory, "tasks"), F_OK) == 0 && access(in(directory, "cpuset.cpus"), F_OK) == 0) {
            copy_from_parent(directory, "cpuset.cpus");
            copy_from_parent(directory, "cpuset.mems");
        }
        if (strcmp(limit, "0") && access(in(directory, "memory.limit_in_bytes"), F_OK) == 0)
            MUST(put(buffer, limit));
        if (strcmp(limit, "0") && access(in(directory, "memory.max"), F_OK) == 0)
            MUST(put(buffer, limit));
    }
}

static void remove_cgroups(int count, char **directories)
{
    for (int i = 0; i < count; i++)
        while (rmdir(directories[i]) < 0) {
            if (errno != EBUSY) {
                perror(directories[i]);
                _exit(99);
            }
            usleep(50);
        }
}

static void make_dev(void)
{
    static const struct { const char *path; int major, minor; } nodes[] = {
        {"dev/null", 1, 3}, {"dev/zero", 1, 5}, {"dev/full", 1, 7},
        {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0},
    };
    static const char *const links[][2] = {
        {"pts/ptmx", "dev/ptmx"}, {"/proc/self/fd", "dev/fd"}, {"/proc/self/fd/0", "dev/stdin"},
        {"/proc/self/fd/1", "dev/stdout"}, {"/proc/self/fd/2", "dev/stderr"},
    };
    MUST(mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"));
    MUST(mkdir("dev/pts", 0755));
    MUST(mkdir("dev/shm", 01777));
    MUST(mkdir("dev/mqueue", 0755));
    MUST(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"));
    MUST(mount("shm", "dev/shm", "tmpfs", HARMLESS, "mode=1777,size=65536k"));
    MUST(mount("mqueue", "dev/mqueue", "mqueue", HARMLESS, NULL));
    umask(0);
    for (int i = 0; i < COUNT(nodes); i++)
        MUST(mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)));
    for (int i = 0; i < COUNT(links); i++)
        MUST(symlink(links[i][0], links[i][1]));
    umask(022);
}

static void show_cgroups(int count, char **directories)
{
    MUST(mount("tmpfs", "sys/fs/cgroup", "tmpfs", HARMLESS, "mode=755"));
    for (int i = 0; i < count; i++) {
        char target[64];
        snprintf(target, sizeof target, "sys/fs/cgroup/%d", i);
        MUST(mkdir(target, 0755));
        MUST(mount(directories[i], target, NULL, MS_BIND, NULL));
        MUST(mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | HARMLESS, NULL));
    }
    MUST(mount(NULL, "sys/fs/cgroup", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | HARMLESS, NULL));
}

static void mask(void)
{
    static const char *const fixed[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
    static const char *const hidden[] = {
        "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
        "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
    };
    for (int i = 0; i < COUNT(fixed); i++)
        if (mount(fixed[i], fixed[i], NULL, MS_BIND | MS_REC, NULL) == 0)
            MUST(mount(NULL, fixed[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | HARMLESS, NULL));
    for (int i = 0; i < COUNT(hidden); i++) {
        struct stat found;
        if (stat(hidden[i], &found) < 0)
            continue;
        if (S_ISDIR(found.st_mode))
            MUST(mount("tmpfs", hidden[i], "tmpfs", MS_RDONLY, NULL));
        else
            MUST(mount("/dev/null", hidden[i], NULL, MS_BIND, NULL));
    }
}

static void contain(const char *rootfs, int count, char **directories)
{
    for (int i = 0; i < count; i++)
        if (put(in(directories[i], "tasks"), "0") < 0)
            MUST(put(in(directories[i], "cgroup.procs"), "0"));
    MUST(mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL));
    MUST(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL));
    MUST(chdir(rootfs));
    MUST(mount("proc", "proc", "proc", 0, NULL));
    make_dev();
    MUST(mount("sysfs", "sys", "sysfs", HARMLESS | MS_RDONLY, NULL));
    show_cgroups(count, directories);
    MUST(syscall(SYS_pivot_root, ".", "."));
    MUST(umount2(".", MNT_DETACH));
    MUST(chdir("/"));
    mask();
    MUST(sethostname("floor", 5));
    MUST(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 98;
    int count = argc - 3;
    char **directories = argv + 3;
    make_cgroups(count, directories, argv[2]);

    struct clone_args arguments = {
        .flags = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWNS | CLONE_VFORK,
        .exit_signal = SIGCHLD,
    };
    long child = syscall(SYS_clone3, &arguments, sizeof arguments);
    MUST(child);
    if (child == 0) {
        char *arguments[] = {"/bin/true", NULL}, *environment[] = {"PATH=/bin", NULL};
        contain(argv[1], count, directories);
        MUST(execve(arguments[0], arguments, environment));
    }
    int status;
    MUST(waitpid(child, &status, 0));
    remove_cgroups(count, directories);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
