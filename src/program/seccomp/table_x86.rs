//! Syscall numbers of the x86 family, as the kernel and libseccomp number them: names in order, a row of numbers for each.

/// The columns of [`NUMBERS`]: x86_64, x86, x32.
pub const COLUMNS: usize = 3;

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
afs_syscall\n\
alarm\n\
arch_prctl\n\
bdflush\n\
bind\n\
bpf\n\
break\n\
brk\n\
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
create_module\n\
delete_module\n\
dup\n\
dup2\n\
dup3\n\
epoll_create\n\
epoll_create1\n\
epoll_ctl\n\
epoll_ctl_old\n\
epoll_pwait\n\
epoll_pwait2\n\
epoll_wait\n\
epoll_wait_old\n\
eventfd\n\
eventfd2\n\
execve\n\
execveat\n\
exit\n\
exit_group\n\
faccessat\n\
faccessat2\n\
fadvise64\n\
fadvise64_64\n\
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
ftime\n\
ftruncate\n\
ftruncate64\n\
futex\n\
futex_requeue\n\
futex_time64\n\
futex_wait\n\
futex_waitv\n\
futex_wake\n\
futimesat\n\
get_kernel_syms\n\
get_mempolicy\n\
get_robust_list\n\
get_thread_area\n\
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
getpmsg\n\
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
gtty\n\
idle\n\
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
ioperm\n\
iopl\n\
ioprio_get\n\
ioprio_set\n\
ipc\n\
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
lock\n\
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
modify_ldt\n\
mount\n\
mount_setattr\n\
move_mount\n\
move_pages\n\
mprotect\n\
mpx\n\
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
oldfstat\n\
oldlstat\n\
oldolduname\n\
oldstat\n\
olduname\n\
open\n\
open_by_handle_at\n\
open_tree\n\
open_tree_attr\n\
openat\n\
openat2\n\
pause\n\
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
prof\n\
profil\n\
pselect6\n\
pselect6_time64\n\
ptrace\n\
putpmsg\n\
pwrite64\n\
pwritev\n\
pwritev2\n\
query_module\n\
quotactl\n\
quotactl_fd\n\
read\n\
readahead\n\
readdir\n\
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
security\n\
select\n\
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
set_thread_area\n\
set_tid_address\n\
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
sgetmask\n\
shmat\n\
shmctl\n\
shmdt\n\
shmget\n\
shutdown\n\
sigaction\n\
sigaltstack\n\
signal\n\
signalfd\n\
signalfd4\n\
sigpending\n\
sigprocmask\n\
sigreturn\n\
sigsuspend\n\
socket\n\
socketcall\n\
socketpair\n\
splice\n\
ssetmask\n\
stat\n\
stat64\n\
statfs\n\
statfs64\n\
statmount\n\
statx\n\
stime\n\
stty\n\
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
time\n\
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
tuxcall\n\
ugetrlimit\n\
ulimit\n\
umask\n\
umount\n\
umount2\n\
uname\n\
unlink\n\
unlinkat\n\
unshare\n\
uprobe\n\
uretprobe\n\
uselib\n\
userfaultfd\n\
ustat\n\
utime\n\
utimensat\n\
utimensat_time64\n\
utimes\n\
vfork\n\
vhangup\n\
vm86\n\
vm86old\n\
vmsplice\n\
vserver\n\
wait4\n\
waitid\n\
waitpid\n\
write\n\
writev";

/// The numbers in the order of the names; `NONE` where the architecture lacks the syscall.
#[rustfmt::skip]
pub static NUMBERS: [[u16; COLUMNS]; 474] = [
    [NONE, 140, NONE], [NONE, 142, NONE], [156, 149, NONE], [43, NONE, 43], [288, 364, 288], [21, 33, 21],
    [163, 51, 163], [248, 286, 248], [159, 124, 159], [183, 137, 183], [37, 27, 37], [158, 384, 158],
    [NONE, 134, NONE], [49, 361, 49], [321, 357, 321], [NONE, 17, NONE], [12, 45, 12], [451, 451, 451],
    [125, 184, 125], [126, 185, 126], [80, 12, 80], [90, 15, 90], [92, 182, 92], [NONE, 212, NONE],
    [161, 61, 161], [305, 343, 305], [NONE, 405, NONE], [229, 266, 229], [NONE, 406, NONE], [228, 265, 228],
    [NONE, 403, NONE], [230, 267, 230], [NONE, 407, NONE], [227, 264, 227], [NONE, 404, NONE], [56, 120, 56],
    [435, 435, 435], [3, 6, 3], [436, 436, 436], [42, 362, 42], [326, 377, 326], [85, 8, 85],
    [174, 127, NONE], [176, 129, 176], [32, 41, 32], [33, 63, 33], [292, 330, 292], [213, 254, 213],
    [291, 329, 291], [233, 255, 233], [214, NONE, NONE], [281, 319, 281], [441, 441, 441], [232, 256, 232],
    [215, NONE, NONE], [284, 323, 284], [290, 328, 290], [59, 11, 520], [322, 358, 545], [60, 1, 60],
    [231, 252, 231], [269, 307, 269], [439, 439, 439], [221, 250, 221], [NONE, 272, NONE], [285, 324, 285],
    [300, 338, 300], [301, 339, 301], [81, 133, 81], [91, 94, 91], [268, 306, 268], [452, 452, 452],
    [93, 95, 93], [NONE, 207, NONE], [260, 298, 260], [72, 55, 72], [NONE, 221, NONE], [75, 148, 75],
    [193, 231, 193], [468, 468, 468], [469, 469, 469], [313, 350, 313], [196, 234, 196], [73, 143, 73],
    [57, 2, 57], [199, 237, 199], [431, 431, 431], [190, 228, 190], [432, 432, 432], [430, 430, 430],
    [433, 433, 433], [5, 108, 5], [NONE, 197, NONE], [NONE, 300, NONE], [138, 100, 138], [NONE, 269, NONE],
    [74, 118, 74], [NONE, 35, NONE], [77, 93, 77], [NONE, 194, NONE], [202, 240, 202], [456, 456, 456],
    [NONE, 422, NONE], [455, 455, 455], [449, 449, 449], [454, 454, 454], [261, 299, 261], [177, 130, NONE],
    [239, 275, 239], [274, 312, 531], [211, 244, NONE], [309, 318, 309], [79, 183, 79], [78, 141, 78],
    [217, 220, 217], [108, 50, 108], [NONE, 202, NONE], [107, 49, 107], [NONE, 201, NONE], [104, 47, 104],
    [NONE, 200, NONE], [115, 80, 115], [NONE, 205, NONE], [36, 105, 36], [52, 368, 52], [121, 132, 121],
    [111, 65, 111], [39, 20, 39], [181, 188, 181], [110, 64, 110], [140, 96, 140], [318, 355, 318],
    [120, 171, 120], [NONE, 211, NONE], [118, 165, 118], [NONE, 209, NONE], [97, 76, 97], [98, 77, 98],
    [124, 147, 124], [51, 367, 51], [55, 365, 542], [186, 224, 186], [96, 78, 96], [102, 24, 102],
    [NONE, 199, NONE], [191, 229, 191], [464, 464, 464], [NONE, 32, NONE], [NONE, 112, NONE], [175, 128, 175],
    [254, 292, 254], [253, 291, 253], [294, 332, 294], [255, 293, 255], [210, 249, 210], [207, 246, 207],
    [208, 247, 208], [333, 385, 333], [NONE, 416, NONE], [206, 245, 543], [209, 248, 544], [426, 426, 426],
    [427, 427, 427], [425, 425, 425], [16, 54, 514], [173, 101, 173], [172, 110, 172], [252, 290, 252],
    [251, 289, 251], [NONE, 117, NONE], [312, 349, 312], [320, NONE, 320], [246, 283, 528], [250, 288, 250],
    [62, 37, 62], [445, 445, 445], [444, 444, 444], [446, 446, 446], [94, 16, 94], [NONE, 198, NONE],
    [192, 230, 192], [86, 9, 86], [265, 303, 265], [50, 363, 50], [458, 458, 458], [470, 470, 470],
    [194, 232, 194], [465, 465, 465], [195, 233, 195], [NONE, 53, NONE], [212, 253, 212], [198, 236, 198],
    [8, 19, 8], [189, 227, 189], [459, 459, 459], [461, 461, 461], [460, 460, 460], [6, 107, 6],
    [NONE, 196, NONE], [28, 219, 28], [453, 453, 453], [237, 274, 237], [324, 375, 324], [319, 356, 319],
    [447, 447, 447], [256, 294, 256], [27, 218, 27], [83, 39, 83], [258, 296, 258], [133, 14, 133],
    [259, 297, 259], [149, 150, 149], [325, 376, 325], [151, 152, 151], [9, 90, 9], [NONE, 192, NONE],
    [154, 123, 154], [165, 21, 165], [442, 442, 442], [429, 429, 429], [279, 317, 533], [10, 125, 10],
    [NONE, 56, NONE], [245, 282, 245], [244, 281, 527], [240, 277, 240], [243, 280, 243], [NONE, 419, NONE],
    [242, 279, 242], [NONE, 418, NONE], [241, 278, 241], [25, 163, 25], [462, 462, 462], [71, 402, 71],
    [68, 399, 68], [70, 401, 70], [69, 400, 69], [26, 144, 26], [150, 151, 150], [152, 153, 152],
    [11, 91, 11], [303, 341, 303], [35, 162, 35], [262, NONE, 262], [180, 169, NONE], [NONE, 34, NONE],
    [NONE, 28, NONE], [NONE, 84, NONE], [NONE, 59, NONE], [NONE, 18, NONE], [NONE, 109, NONE], [2, 5, 2],
    [304, 342, 304], [428, 428, 428], [467, 467, 467], [257, 295, 257], [437, 437, 437], [34, 29, 34],
    [298, 336, 298], [135, 136, 135], [438, 438, 438], [434, 434, 434], [424, 424, 424], [22, 42, 22],
    [293, 331, 293], [155, 217, 155], [330, 381, 330], [331, 382, 331], [329, 380, 329], [7, 168, 7],
    [271, 309, 271], [NONE, 414, NONE], [157, 172, 157], [17, 180, 17], [295, 333, 534], [327, 378, 546],
    [302, 340, 302], [440, 440, 440], [448, 448, 448], [310, 347, 539], [311, 348, 540], [NONE, 44, NONE],
    [NONE, 98, NONE], [270, 308, 270], [NONE, 413, NONE], [101, 26, 521], [182, 189, 182], [18, 181, 18],
    [296, 334, 535], [328, 379, 547], [178, 167, NONE], [179, 131, 179], [443, 443, 443], [0, 3, 0],
    [187, 225, 187], [NONE, 89, NONE], [89, 85, 89], [267, 305, 267], [19, 145, 515], [169, 88, 169],
    [NONE, NONE, NONE], [45, 371, 517], [299, 337, 537], [NONE, 417, NONE], [47, 372, 519], [216, 257, 216],
    [197, 235, 197], [466, 466, 466], [82, 38, 82], [264, 302, 264], [316, 353, 316], [249, 287, 249],
    [219, 0, 219], [84, 40, 84], [334, 386, 334], [471, 471, 471], [13, 174, 512], [127, 176, 522],
    [14, 175, 14], [129, 178, 524], [15, 173, 513], [130, 179, 130], [128, 177, 523], [NONE, 421, NONE],
    [297, 335, 536], [146, 159, 146], [147, 160, 147], [204, 242, 204], [315, 352, 315], [143, 155, 143],
    [145, 157, 145], [148, 161, 148], [NONE, 423, NONE], [203, 241, 203], [314, 351, 314], [142, 154, 142],
    [144, 156, 144], [24, 158, 24], [317, 354, 317], [185, NONE, 185], [23, 82, 23], [66, 394, 66],
    [64, 393, 64], [65, NONE, 65], [220, NONE, 220], [NONE, 420, NONE], [NONE, NONE, NONE], [40, 187, 40],
    [NONE, 239, NONE], [307, 345, 538], [46, 370, 518], [44, 369, 44], [238, 276, 238], [450, 450, 450],
    [273, 311, 530], [205, 243, NONE], [218, 258, 218], [171, 121, 171], [123, 139, 123], [NONE, 216, NONE],
    [122, 138, 122], [NONE, 215, NONE], [106, 46, 106], [NONE, 214, NONE], [116, 81, 116], [NONE, 206, NONE],
    [170, 74, 170], [38, 104, 38], [308, 346, 308], [109, 57, 109], [141, 97, 141], [114, 71, 114],
    [NONE, 204, NONE], [119, 170, 119], [NONE, 210, NONE], [117, 164, 117], [NONE, 208, NONE], [113, 70, 113],
    [NONE, 203, NONE], [160, 75, 160], [112, 66, 112], [54, 366, 541], [164, 79, 164], [105, 23, 105],
    [NONE, 213, NONE], [188, 226, 188], [463, 463, 463], [NONE, 68, NONE], [30, 397, 30], [31, 396, 31],
    [67, 398, 67], [29, 395, 29], [48, 373, 48], [NONE, 67, NONE], [131, 186, 525], [NONE, 48, NONE],
    [282, 321, 282], [289, 327, 289], [NONE, 73, NONE], [NONE, 126, NONE], [NONE, 119, NONE], [NONE, 72, NONE],
    [41, 359, 41], [NONE, 102, NONE], [53, 360, 53], [275, 313, 275], [NONE, 69, NONE], [4, 106, 4],
    [NONE, 195, NONE], [137, 99, 137], [NONE, 268, NONE], [457, 457, 457], [332, 383, 332], [NONE, 25, NONE],
    [NONE, 31, NONE], [168, 115, 168], [167, 87, 167], [88, 83, 88], [266, 304, 266], [162, 36, 162],
    [277, 314, 277], [306, 344, 306], [139, 135, 139], [99, 116, 99], [103, 103, 103], [276, 315, 276],
    [234, 270, 234], [201, 13, 201], [222, 259, 526], [226, 263, 226], [225, 262, 225], [224, 261, 224],
    [NONE, 408, NONE], [223, 260, 223], [NONE, 409, NONE], [283, 322, 283], [287, 326, 287], [NONE, 410, NONE],
    [286, 325, 286], [NONE, 411, NONE], [100, 43, 100], [200, 238, 200], [76, 92, 76], [NONE, 193, NONE],
    [184, NONE, 184], [NONE, 191, NONE], [NONE, 58, NONE], [95, 60, 95], [NONE, 22, NONE], [166, 52, 166],
    [63, 122, 63], [87, 10, 87], [263, 301, 263], [272, 310, 272], [336, NONE, 336], [335, NONE, 335],
    [134, 86, NONE], [323, 374, 323], [136, 62, 136], [132, 30, 132], [280, 320, 280], [NONE, 412, NONE],
    [235, 271, 235], [58, 190, 58], [153, 111, 153], [NONE, 166, NONE], [NONE, 113, NONE], [278, 316, 532],
    [236, 273, NONE], [61, 114, 61], [247, 284, 529], [NONE, 7, NONE], [1, 4, 1], [20, 146, 516],
];

/// Stands for a syscall that the architecture lacks.
pub const NONE: u16 = u16::MAX;
