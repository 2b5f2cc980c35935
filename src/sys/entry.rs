//! Where the program begins: C's `main`, without the standard library's own preparations, which take a dozen system
//! calls for handlers and stacks that are of no use here.

use super::memory::Heap;
use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;

#[global_allocator]
static HEAP: Heap = Heap::new();

#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, arguments: *const *const c_char) -> c_int {
    // A reader that is gone is an error where something is written, not a death halfway through it.
    // SAFETY: ignoring a signal runs none of our code.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    ensure_stdio();
    let argument = |index| {
        // SAFETY: the kernel passes as many C strings as it says, which live as long as the process.
        let text = unsafe { CStr::from_ptr(*arguments.add(index)) };
        OsStr::from_bytes(text.to_bytes()).to_os_string()
    };
    let arguments: Vec<OsString> = (1..count as usize).map(argument).collect();
    c_int::from(crate::run(arguments))
}

/// Makes sure that descriptors 0, 1 and 2 are open, so that nothing else is ever taken for them.
fn ensure_stdio() {
    let closed = |fd| libc::pollfd {
        fd,
        events: 0,
        revents: 0,
    };
    let mut fds = [closed(0), closed(1), closed(2)];
    // SAFETY: three entries, and paths that are C strings; open(2) returns the lowest free descriptor.
    unsafe {
        if libc::poll(fds.as_mut_ptr(), 3, 0) > 0 {
            for entry in fds
                .iter()
                .filter(|entry| entry.revents & libc::POLLNVAL != 0)
            {
                let opened = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
                if opened >= 0 && opened != entry.fd {
                    libc::close(opened);
                }
            }
        }
    }
}
