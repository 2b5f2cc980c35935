//! The unwinder's entry points, for a program that never unwinds: a panic aborts, and what it prints has no
//! backtrace. Without these, the standard library brings an unwinder along that is a twentieth of the file.

/// `_URC_END_OF_STACK`: there is no caller to be found.
const END_OF_STACK: i32 = 5;

/// Walks no stack.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace(_visit: usize, _argument: usize) -> i32 {
    END_OF_STACK
}

macro_rules! never_called {
    ($($name:ident)*) => {$(
        /// Only ever called from within an unwinding, which there is not.
        #[unsafe(no_mangle)]
        extern "C" fn $name() -> usize {
            0
        }
    )*};
}

never_called! {
    _Unwind_GetIP
    _Unwind_GetIPInfo
    _Unwind_GetCFA
    _Unwind_FindEnclosingFunction
    _Unwind_GetLanguageSpecificData
    _Unwind_GetRegionStart
    _Unwind_GetTextRelBase
    _Unwind_GetDataRelBase
    _Unwind_SetGR
    _Unwind_SetIP
    _Unwind_DeleteException
    _Unwind_RaiseException
    _Unwind_Resume
}
