//! Syscall numbers of the arm family, as the kernel and libseccomp number them: names in order, a row of numbers for each.

/// The columns of [`NUMBERS`]: aarch64, arm.
pub const COLUMNS: usize = 2;

/// The names, sorted, one to a line.
pub static NAMES: &str = "\
_llseek\n\
_newselect\n\
_sysctl\n\
accept\n\
accept4\n\
access\n\
acct\n\
add_key\n\
adjtimex\n\
arm_fadvise64_64\n\
arm_sync_file_range\n\
bdflush\n\
bind\n\
bpf\n\
breakpoint\n\
brk\n\
cacheflush\n\
cachestat\n\
capget\n\
capset\n\
chdir\n\
chmod\n\
chown\n\
chown32\n\
chroot\n\
clock_adjtime\n\
clock_adjtime64\n\
clock_getres\n\
clock_getres_time64\n\
clock_gettime\n\
clock_gettime64\n\
clock_nanosleep\n\
clock_nanosleep_time64\n\
clock_settime\n\
clock_settime64\n\
clone\n\
clone3\n\
close\n\
close_range\n\
connect\n\
copy_file_range\n\
creat\n\
delete_module\n\
dup\n\
dup2\n\
dup3\n\
epoll_create\n\
epoll_create1\n\
epoll_ctl\n\
epoll_pwait\n\
epoll_pwait2\n\
epoll_wait\n\
eventfd\n\
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
fchown32\n\
fchownat\n\
fcntl\n\
fcntl64\n\
fdatasync\n\
fgetxattr\n\
file_getattr\n\
file_setattr\n\
finit_module\n\
flistxattr\n\
flock\n\
fork\n\
fremovexattr\n\
fsconfig\n\
fsetxattr\n\
fsmount\n\
fsopen\n\
fspick\n\
fstat\n\
fstat64\n\
fstatat64\n\
fstatfs\n\
fstatfs64\n\
fsync\n\
ftruncate\n\
ftruncate64\n\
futex\n\
futex_requeue\n\
futex_time64\n\
futex_wait\n\
futex_waitv\n\
futex_wake\n\
futimesat\n\
get_mempolicy\n\
get_robust_list\n\
get_tls\n\
getcpu\n\
getcwd\n\
getdents\n\
getdents64\n\
getegid\n\
getegid32\n\
geteuid\n\
geteuid32\n\
getgid\n\
getgid32\n\
getgroups\n\
getgroups32\n\
getitimer\n\
getpeername\n\
getpgid\n\
getpgrp\n\
getpid\n\
getppid\n\
getpriority\n\
getrandom\n\
getresgid\n\
getresgid32\n\
getresuid\n\
getresuid32\n\
getrlimit\n\
getrusage\n\
getsid\n\
getsockname\n\
getsockopt\n\
gettid\n\
gettimeofday\n\
getuid\n\
getuid32\n\
getxattr\n\
getxattrat\n\
init_module\n\
inotify_add_watch\n\
inotify_init\n\
inotify_init1\n\
inotify_rm_watch\n\
io_cancel\n\
io_destroy\n\
io_getevents\n\
io_pgetevents\n\
io_pgetevents_time64\n\
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
lchown\n\
lchown32\n\
lgetxattr\n\
link\n\
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
lstat\n\
lstat64\n\
madvise\n\
map_shadow_stack\n\
mbind\n\
membarrier\n\
memfd_create\n\
memfd_secret\n\
migrate_pages\n\
mincore\n\
mkdir\n\
mkdirat\n\
mknod\n\
mknodat\n\
mlock\n\
mlock2\n\
mlockall\n\
mmap\n\
mmap2\n\
mount\n\
mount_setattr\n\
move_mount\n\
move_pages\n\
mprotect\n\
mq_getsetattr\n\
mq_notify\n\
mq_open\n\
mq_timedreceive\n\
mq_timedreceive_time64\n\
mq_timedsend\n\
mq_timedsend_time64\n\
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
nice\n\
open\n\
open_by_handle_at\n\
open_tree\n\
open_tree_attr\n\
openat\n\
openat2\n\
pause\n\
pciconfig_iobase\n\
pciconfig_read\n\
pciconfig_write\n\
perf_event_open\n\
personality\n\
pidfd_getfd\n\
pidfd_open\n\
pidfd_send_signal\n\
pipe\n\
pipe2\n\
pivot_root\n\
pkey_alloc\n\
pkey_free\n\
pkey_mprotect\n\
poll\n\
ppoll\n\
ppoll_time64\n\
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
pselect6_time64\n\
ptrace\n\
pwrite64\n\
pwritev\n\
pwritev2\n\
quotactl\n\
quotactl_fd\n\
read\n\
readahead\n\
readlink\n\
readlinkat\n\
readv\n\
reboot\n\
recv\n\
recvfrom\n\
recvmmsg\n\
recvmmsg_time64\n\
recvmsg\n\
remap_file_pages\n\
removexattr\n\
removexattrat\n\
rename\n\
renameat\n\
renameat2\n\
request_key\n\
restart_syscall\n\
rmdir\n\
rseq\n\
rseq_slice_yield\n\
rt_sigaction\n\
rt_sigpending\n\
rt_sigprocmask\n\
rt_sigqueueinfo\n\
rt_sigreturn\n\
rt_sigsuspend\n\
rt_sigtimedwait\n\
rt_sigtimedwait_time64\n\
rt_tgsigqueueinfo\n\
sched_get_priority_max\n\
sched_get_priority_min\n\
sched_getaffinity\n\
sched_getattr\n\
sched_getparam\n\
sched_getscheduler\n\
sched_rr_get_interval\n\
sched_rr_get_interval_time64\n\
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
semtimedop_time64\n\
send\n\
sendfile\n\
sendfile64\n\
sendmmsg\n\
sendmsg\n\
sendto\n\
set_mempolicy\n\
set_mempolicy_home_node\n\
set_robust_list\n\
set_tid_address\n\
set_tls\n\
setdomainname\n\
setfsgid\n\
setfsgid32\n\
setfsuid\n\
setfsuid32\n\
setgid\n\
setgid32\n\
setgroups\n\
setgroups32\n\
sethostname\n\
setitimer\n\
setns\n\
setpgid\n\
setpriority\n\
setregid\n\
setregid32\n\
setresgid\n\
setresgid32\n\
setresuid\n\
setresuid32\n\
setreuid\n\
setreuid32\n\
setrlimit\n\
setsid\n\
setsockopt\n\
settimeofday\n\
setuid\n\
setuid32\n\
setxattr\n\
setxattrat\n\
shmat\n\
shmctl\n\
shmdt\n\
shmget\n\
shutdown\n\
sigaction\n\
sigaltstack\n\
signalfd\n\
signalfd4\n\
sigpending\n\
sigprocmask\n\
sigreturn\n\
sigsuspend\n\
socket\n\
socketpair\n\
splice\n\
stat\n\
stat64\n\
statfs\n\
statfs64\n\
statmount\n\
statx\n\
swapoff\n\
swapon\n\
symlink\n\
symlinkat\n\
sync\n\
sync_file_range\n\
syncfs\n\
sysfs\n\
sysinfo\n\
syslog\n\
tee\n\
tgkill\n\
timer_create\n\
timer_delete\n\
timer_getoverrun\n\
timer_gettime\n\
timer_gettime64\n\
timer_settime\n\
timer_settime64\n\
timerfd_create\n\
timerfd_gettime\n\
timerfd_gettime64\n\
timerfd_settime\n\
timerfd_settime64\n\
times\n\
tkill\n\
truncate\n\
truncate64\n\
ugetrlimit\n\
umask\n\
umount2\n\
uname\n\
unlink\n\
unlinkat\n\
unshare\n\
uselib\n\
userfaultfd\n\
usr26\n\
usr32\n\
ustat\n\
utimensat\n\
utimensat_time64\n\
utimes\n\
vfork\n\
vhangup\n\
vmsplice\n\
vserver\n\
wait4\n\
waitid\n\
write\n\
writev";

/// The numbers in the order of the names; `NONE` where the architecture lacks the syscall.
#[rustfmt::skip]
pub static NUMBERS: [[u16; COLUMNS]; 436] = [
    [NONE, 140], [NONE, 142], [NONE, 149], [202, 285], [242, 366], [NONE, 33],
    [89, 51], [217, 309], [171, 124], [NONE, 270], [NONE, 341], [NONE, 134],
    [200, 282], [280, 386], [NONE, 61441], [214, 45], [NONE, 61442], [451, 451],
    [90, 184], [91, 185], [49, 12], [NONE, 15], [NONE, 182], [NONE, 212],
    [51, 61], [266, 372], [NONE, 405], [114, 264], [NONE, 406], [113, 263],
    [NONE, 403], [115, 265], [NONE, 407], [112, 262], [NONE, 404], [220, 120],
    [435, 435], [57, 6], [436, 436], [203, 283], [285, 391], [NONE, 8],
    [106, 129], [23, 41], [NONE, 63], [24, 358], [NONE, 250], [20, 357],
    [21, 251], [22, 346], [441, 441], [NONE, 252], [NONE, 351], [19, 356],
    [221, 11], [281, 387], [93, 1], [94, 248], [48, 334], [439, 439],
    [223, NONE], [47, 352], [262, 367], [263, 368], [50, 133], [52, 94],
    [53, 333], [452, 452], [55, 95], [NONE, 207], [54, 325], [25, 55],
    [NONE, 221], [83, 148], [10, 231], [468, 468], [469, 469], [273, 379],
    [13, 234], [32, 143], [NONE, 2], [16, 237], [431, 431], [7, 228],
    [432, 432], [430, 430], [433, 433], [80, 108], [NONE, 197], [NONE, 327],
    [44, 100], [NONE, 267], [82, 118], [46, 93], [NONE, 194], [98, 240],
    [456, 456], [NONE, 422], [455, 455], [449, 449], [454, 454], [NONE, 326],
    [236, 320], [100, 339], [NONE, 61446], [168, 345], [17, 183], [NONE, 141],
    [61, 217], [177, 50], [NONE, 202], [175, 49], [NONE, 201], [176, 47],
    [NONE, 200], [158, 80], [NONE, 205], [102, 105], [205, 287], [155, 132],
    [NONE, 65], [172, 20], [173, 64], [141, 96], [278, 384], [150, 171],
    [NONE, 211], [148, 165], [NONE, 209], [163, NONE], [165, 77], [156, 147],
    [204, 286], [209, 295], [178, 224], [169, 78], [174, 24], [NONE, 199],
    [8, 229], [464, 464], [105, 128], [27, 317], [NONE, 316], [26, 360],
    [28, 318], [3, 247], [1, 244], [4, 245], [292, 399], [NONE, 416],
    [0, 243], [2, 246], [426, 426], [427, 427], [425, 425], [29, 54],
    [31, 315], [30, 314], [272, 378], [294, 401], [104, 347], [219, 311],
    [129, 37], [445, 445], [444, 444], [446, 446], [NONE, 16], [NONE, 198],
    [9, 230], [NONE, 9], [37, 330], [201, 284], [458, 458], [470, 470],
    [11, 232], [465, 465], [12, 233], [18, 249], [15, 236], [62, 19],
    [6, 227], [459, 459], [461, 461], [460, 460], [NONE, 107], [NONE, 196],
    [233, 220], [453, 453], [235, 319], [283, 389], [279, 385], [447, NONE],
    [238, 400], [232, 219], [NONE, 39], [34, 323], [NONE, 14], [33, 324],
    [228, 150], [284, 390], [230, 152], [222, NONE], [NONE, 192], [40, 21],
    [442, 442], [429, 429], [239, 344], [226, 125], [185, 279], [184, 278],
    [180, 274], [183, 277], [NONE, 419], [182, 276], [NONE, 418], [181, 275],
    [216, 163], [462, 462], [187, 304], [186, 303], [188, 302], [189, 301],
    [227, 144], [229, 151], [231, 153], [215, 91], [264, 370], [101, 162],
    [79, NONE], [42, 169], [NONE, 34], [NONE, 5], [265, 371], [428, 428],
    [467, 467], [56, 322], [437, 437], [NONE, 29], [NONE, 271], [NONE, 272],
    [NONE, 273], [241, 364], [92, 136], [438, 438], [434, 434], [424, 424],
    [NONE, 42], [59, 359], [41, 218], [289, 395], [290, 396], [288, 394],
    [NONE, 168], [73, 336], [NONE, 414], [167, 172], [67, 180], [69, 361],
    [286, 392], [261, 369], [440, 440], [448, 448], [270, 376], [271, 377],
    [72, 335], [NONE, 413], [117, 26], [68, 181], [70, 362], [287, 393],
    [60, 131], [443, 443], [63, 3], [213, 225], [NONE, 85], [78, 332],
    [65, 145], [142, 88], [NONE, 291], [207, 292], [243, 365], [NONE, 417],
    [212, 297], [234, 253], [14, 235], [466, 466], [NONE, 38], [38, 329],
    [276, 382], [218, 310], [128, 0], [NONE, 40], [293, 398], [471, 471],
    [134, 174], [136, 176], [135, 175], [138, 178], [139, 173], [133, 179],
    [137, 177], [NONE, 421], [240, 363], [125, 159], [126, 160], [123, 242],
    [275, 381], [121, 155], [120, 157], [127, 161], [NONE, 423], [122, 241],
    [274, 380], [118, 154], [119, 156], [124, 158], [277, 383], [191, 300],
    [190, 299], [193, 298], [192, 312], [NONE, 420], [NONE, 289], [71, 187],
    [NONE, 239], [269, 374], [211, 296], [206, 290], [237, 321], [450, 450],
    [99, 338], [96, 256], [NONE, 61445], [162, 121], [152, 139], [NONE, 216],
    [151, 138], [NONE, 215], [144, 46], [NONE, 214], [159, 81], [NONE, 206],
    [161, 74], [103, 104], [268, 375], [154, 57], [140, 97], [143, 71],
    [NONE, 204], [149, 170], [NONE, 210], [147, 164], [NONE, 208], [145, 70],
    [NONE, 203], [164, 75], [157, 66], [208, 294], [170, 79], [146, 23],
    [NONE, 213], [5, 226], [463, 463], [196, 305], [195, 308], [197, 306],
    [194, 307], [210, 293], [NONE, 67], [132, 186], [NONE, 349], [74, 355],
    [NONE, 73], [NONE, 126], [NONE, 119], [NONE, 72], [198, 281], [199, 288],
    [76, 340], [NONE, 106], [NONE, 195], [43, 99], [NONE, 266], [457, 457],
    [291, 397], [225, 115], [224, 87], [NONE, 83], [36, 331], [81, 36],
    [84, NONE], [267, 373], [NONE, 135], [179, 116], [116, 103], [77, 342],
    [131, 268], [107, 257], [111, 261], [109, 260], [108, 259], [NONE, 408],
    [110, 258], [NONE, 409], [85, 350], [87, 354], [NONE, 410], [86, 353],
    [NONE, 411], [153, 43], [130, 238], [45, 92], [NONE, 193], [NONE, 191],
    [166, 60], [39, 52], [160, 122], [NONE, 10], [35, 328], [97, 337],
    [NONE, 86], [282, 388], [NONE, 61443], [NONE, 61444], [NONE, 62], [88, 348],
    [NONE, 412], [NONE, 269], [NONE, 190], [58, 111], [75, 343], [NONE, 313],
    [260, 114], [95, 280], [64, 4], [66, 146],
];

/// Stands for a syscall that the architecture lacks.
pub const NONE: u16 = u16::MAX;
