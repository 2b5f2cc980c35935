// Builds filters with libseccomp, for comparison with the runtime's own.
//
// Reads lines: "default ACTION", "arch TOKEN", "rule ACTION NAME COUNT" followed by COUNT times " INDEX OP A B",
// "know NAME", and "end", which ends a filter. Writes for each filter the greatest syscall number that it names on
// x86_64, x86 and x32 (as runc finds them for its stub), the number of instructions (or 4294967295 if a rule was
// refused), and the instructions. After "numbers TOKEN" it writes the names and numbers that it knows of an architecture.
#define _GNU_SOURCE
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint32_t archs[3] = {SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32};

int main(void)
{
    char word[32], name[64];
    scmp_filter_ctx ctx = NULL;
    int32_t last[3] = {0, 0, 0};
    int refused = 0;
    while (scanf("%31s", word) == 1) {
        if (strcmp(word, "default") == 0) {
            uint32_t action;
            if (scanf("%u", &action) != 1 || !(ctx = seccomp_init(action)))
                return 1;
            memset(last, 0, sizeof last);
            refused = 0;
        } else if (strcmp(word, "arch") == 0) {
            uint32_t token;
            if (scanf("%u", &token) != 1)
                return 1;
            seccomp_arch_add(ctx, token);
        } else if (strcmp(word, "know") == 0) {
            if (scanf("%63s", name) != 1)
                return 1;
            for (int i = 0; i < 3; i++) {
                int number = seccomp_syscall_resolve_name_arch(archs[i], name);
                if (number > last[i])
                    last[i] = number;
            }
        } else if (strcmp(word, "rule") == 0) {
            uint32_t action;
            unsigned count;
            struct scmp_arg_cmp args[6];
            if (scanf("%u %63s %u", &action, name, &count) != 3 || count > 6)
                return 1;
            for (unsigned i = 0; i < count; i++) {
                unsigned index, op;
                unsigned long long a, b;
                if (scanf("%u %u %llu %llu", &index, &op, &a, &b) != 4)
                    return 1;
                args[i] = (struct scmp_arg_cmp){index, op, a, b};
            }
            int number = seccomp_syscall_resolve_name(name);
            if (number != __NR_SCMP_ERROR && seccomp_rule_add_array(ctx, action, number, count, args) != 0)
                refused = 1;
        } else if (strcmp(word, "numbers") == 0) {
            unsigned token;
            if (scanf("%u", &token) != 1)
                return 1;
            int bit = token == SCMP_ARCH_X32 ? 0x40000000 : 0;
            for (int number = 0; number < 0xf0010; number = number == 1000 ? 0xf0000 : number + 1) {
                char *known = seccomp_syscall_resolve_num_arch(token, number | bit);
                if (known)
                    printf("%s %d\n", known, number);
                free(known);
            }
        } else if (strcmp(word, "end") == 0) {
            int fd = memfd_create("filter", 0);
            struct stat st;
            uint32_t length = UINT32_MAX;
            if (seccomp_export_bpf(ctx, fd) != 0 || fstat(fd, &st) != 0)
                return 1;
            if (!refused)
                length = st.st_size / 8;
            fwrite(last, sizeof last, 1, stdout);
            fwrite(&length, sizeof length, 1, stdout);
            lseek(fd, 0, SEEK_SET);
            char buffer[4096];
            for (ssize_t n; !refused && (n = read(fd, buffer, sizeof buffer)) > 0;)
                fwrite(buffer, n, 1, stdout);
            close(fd);
            seccomp_release(ctx);
        } else {
            return 1;
        }
    }
    return 0;
}
