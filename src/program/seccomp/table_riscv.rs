//! Syscall numbers of the riscv family, as the kernel and libseccomp number them: names in order, a row of numbers for each.

/// The columns of [`NUMBERS`]: riscv64.
pub const COLUMNS: usize = 1;

/// The names, sorted, one to a line.
pub static NAMES: &str = "\
accept\n\
accept4\n\
acct\n\
add_key\n\
adjtimex\n\
bind\n\
bpf\n\
brk\n\
cachestat\n\
capget\n\
capset\n\
chdir\n\
chroot\n\
clock_adjtime\n\
clock_getres\n\
clock_gettime\n\
clock_nanosleep\n\
clock_settime\n\
clone\n\
clone3\n\
close\n\
close_range\n\
connect\n\
copy_file_range\n\
delete_module\n\
dup\n\
dup3\n\
epoll_create1\n\
epoll_ctl\n\
epoll_pwait\n\
epoll_pwait2\n\
eventfd2\n\
execve\n\
execveat\n\
exit\n\
exit_group\n\
faccessat\n\
faccessat2\n\
fadvise64\n\
fallocate\n\
fanotify_init\n\
fanotify_mark\n\
fchdir\n\
fchmod\n\
fchmodat\n\
fchmodat2\n\
fchown\n\
fchownat\n\
fcntl\n\
fdatasync\n\
fgetxattr\n\
file_getattr\n\
file_setattr\n\
finit_module\n\
flistxattr\n\
flock\n\
fremovexattr\n\
fsconfig\n\
fsetxattr\n\
fsmount\n\
fsopen\n\
fspick\n\
fstat\n\
fstatfs\n\
fsync\n\
ftruncate\n\
futex\n\
futex_requeue\n\
futex_wait\n\
futex_waitv\n\
futex_wake\n\
get_mempolicy\n\
get_robust_list\n\
getcpu\n\
getcwd\n\
getdents64\n\
getegid\n\
geteuid\n\
getgid\n\
getgroups\n\
getitimer\n\
getpeername\n\
getpgid\n\
getpid\n\
getppid\n\
getpriority\n\
getrandom\n\
getresgid\n\
getresuid\n\
getrlimit\n\
getrusage\n\
getsid\n\
getsockname\n\
getsockopt\n\
gettid\n\
gettimeofday\n\
getuid\n\
getxattr\n\
getxattrat\n\
init_module\n\
inotify_add_watch\n\
inotify_init1\n\
inotify_rm_watch\n\
io_cancel\n\
io_destroy\n\
io_getevents\n\
io_pgetevents\n\
io_setup\n\
io_submit\n\
io_uring_enter\n\
io_uring_register\n\
io_uring_setup\n\
ioctl\n\
ioprio_get\n\
ioprio_set\n\
kcmp\n\
kexec_file_load\n\
kexec_load\n\
keyctl\n\
kill\n\
landlock_add_rule\n\
landlock_create_ruleset\n\
landlock_restrict_self\n\
lgetxattr\n\
linkat\n\
listen\n\
listmount\n\
listns\n\
listxattr\n\
listxattrat\n\
llistxattr\n\
lookup_dcookie\n\
lremovexattr\n\
lseek\n\
lsetxattr\n\
lsm_get_self_attr\n\
lsm_list_modules\n\
lsm_set_self_attr\n\
madvise\n\
map_shadow_stack\n\
mbind\n\
membarrier\n\
memfd_create\n\
memfd_secret\n\
migrate_pages\n\
mincore\n\
mkdirat\n\
mknodat\n\
mlock\n\
mlock2\n\
mlockall\n\
mmap\n\
mount\n\
mount_setattr\n\
move_mount\n\
move_pages\n\
mprotect\n\
mq_getsetattr\n\
mq_notify\n\
mq_open\n\
mq_timedreceive\n\
mq_timedsend\n\
mq_unlink\n\
mremap\n\
mseal\n\
msgctl\n\
msgget\n\
msgrcv\n\
msgsnd\n\
msync\n\
munlock\n\
munlockall\n\
munmap\n\
name_to_handle_at\n\
nanosleep\n\
newfstatat\n\
nfsservctl\n\
open_by_handle_at\n\
open_tree\n\
open_tree_attr\n\
openat\n\
openat2\n\
perf_event_open\n\
personality\n\
pidfd_getfd\n\
pidfd_open\n\
pidfd_send_signal\n\
pipe2\n\
pivot_root\n\
pkey_alloc\n\
pkey_free\n\
pkey_mprotect\n\
ppoll\n\
prctl\n\
pread64\n\
preadv\n\
preadv2\n\
prlimit64\n\
process_madvise\n\
process_mrelease\n\
process_vm_readv\n\
process_vm_writev\n\
pselect6\n\
ptrace\n\
pwrite64\n\
pwritev\n\
pwritev2\n\
quotactl\n\
quotactl_fd\n\
read\n\
readahead\n\
readlinkat\n\
readv\n\
reboot\n\
recvfrom\n\
recvmmsg\n\
recvmsg\n\
remap_file_pages\n\
removexattr\n\
removexattrat\n\
renameat2\n\
request_key\n\
restart_syscall\n\
riscv_flush_icache\n\
riscv_hwprobe\n\
rseq\n\
rseq_slice_yield\n\
rt_sigaction\n\
rt_sigpending\n\
rt_sigprocmask\n\
rt_sigqueueinfo\n\
rt_sigreturn\n\
rt_sigsuspend\n\
rt_sigtimedwait\n\
rt_tgsigqueueinfo\n\
sched_get_priority_max\n\
sched_get_priority_min\n\
sched_getaffinity\n\
sched_getattr\n\
sched_getparam\n\
sched_getscheduler\n\
sched_rr_get_interval\n\
sched_setaffinity\n\
sched_setattr\n\
sched_setparam\n\
sched_setscheduler\n\
sched_yield\n\
seccomp\n\
semctl\n\
semget\n\
semop\n\
semtimedop\n\
sendfile\n\
sendmmsg\n\
sendmsg\n\
sendto\n\
set_mempolicy\n\
set_mempolicy_home_node\n\
set_robust_list\n\
set_tid_address\n\
setdomainname\n\
setfsgid\n\
setfsuid\n\
setgid\n\
setgroups\n\
sethostname\n\
setitimer\n\
setns\n\
setpgid\n\
setpriority\n\
setregid\n\
setresgid\n\
setresuid\n\
setreuid\n\
setrlimit\n\
setsid\n\
setsockopt\n\
settimeofday\n\
setuid\n\
setxattr\n\
setxattrat\n\
shmat\n\
shmctl\n\
shmdt\n\
shmget\n\
shutdown\n\
sigaltstack\n\
signalfd4\n\
socket\n\
socketpair\n\
splice\n\
statfs\n\
statmount\n\
statx\n\
swapoff\n\
swapon\n\
symlinkat\n\
sync\n\
sync_file_range\n\
syncfs\n\
sysinfo\n\
syslog\n\
tee\n\
tgkill\n\
timer_create\n\
timer_delete\n\
timer_getoverrun\n\
timer_gettime\n\
timer_settime\n\
timerfd_create\n\
timerfd_gettime\n\
timerfd_settime\n\
times\n\
tkill\n\
truncate\n\
umask\n\
umount2\n\
uname\n\
unlinkat\n\
unshare\n\
userfaultfd\n\
utimensat\n\
vhangup\n\
vmsplice\n\
wait4\n\
waitid\n\
write\n\
writev";

/// The numbers in the order of the names; `NONE` where the architecture lacks the syscall.
#[rustfmt::skip]
pub static NUMBERS: [[u16; COLUMNS]; 328] = [
    [202], [242], [89], [217], [171], [200],
    [280], [214], [451], [90], [91], [49],
    [51], [266], [114], [113], [115], [112],
    [220], [435], [57], [436], [203], [285],
    [106], [23], [24], [20], [21], [22],
    [441], [19], [221], [281], [93], [94],
    [48], [439], [223], [47], [262], [263],
    [50], [52], [53], [452], [55], [54],
    [25], [83], [10], [468], [469], [273],
    [13], [32], [16], [431], [7], [432],
    [430], [433], [80], [44], [82], [46],
    [98], [456], [455], [449], [454], [236],
    [100], [168], [17], [61], [177], [175],
    [176], [158], [102], [205], [155], [172],
    [173], [141], [278], [150], [148], [163],
    [165], [156], [204], [209], [178], [169],
    [174], [8], [464], [105], [27], [26],
    [28], [3], [1], [4], [292], [0],
    [2], [426], [427], [425], [29], [31],
    [30], [272], [294], [104], [219], [129],
    [445], [444], [446], [9], [37], [201],
    [458], [470], [11], [465], [12], [18],
    [15], [62], [6], [459], [461], [460],
    [233], [453], [235], [283], [279], [447],
    [238], [232], [34], [33], [228], [284],
    [230], [222], [40], [442], [429], [239],
    [226], [185], [184], [180], [183], [182],
    [181], [216], [462], [187], [186], [188],
    [189], [227], [229], [231], [215], [264],
    [101], [79], [42], [265], [428], [467],
    [56], [437], [241], [92], [438], [434],
    [424], [59], [41], [289], [290], [288],
    [73], [167], [67], [69], [286], [261],
    [440], [448], [270], [271], [72], [117],
    [68], [70], [287], [60], [443], [63],
    [213], [78], [65], [142], [207], [243],
    [212], [234], [14], [466], [276], [218],
    [128], [259], [258], [293], [471], [134],
    [136], [135], [138], [139], [133], [137],
    [240], [125], [126], [123], [275], [121],
    [120], [127], [122], [274], [118], [119],
    [124], [277], [191], [190], [193], [192],
    [71], [269], [211], [206], [237], [450],
    [99], [96], [162], [152], [151], [144],
    [159], [161], [103], [268], [154], [140],
    [143], [149], [147], [145], [164], [157],
    [208], [170], [146], [5], [463], [196],
    [195], [197], [194], [210], [132], [74],
    [198], [199], [76], [43], [457], [291],
    [225], [224], [36], [81], [84], [267],
    [179], [116], [77], [131], [107], [111],
    [109], [108], [110], [85], [87], [86],
    [153], [130], [45], [166], [39], [160],
    [35], [97], [282], [88], [58], [75],
    [260], [95], [64], [66],
];

/// Stands for a syscall that the architecture lacks.
pub const NONE: u16 = u16::MAX;
