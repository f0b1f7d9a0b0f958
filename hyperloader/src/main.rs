//! The `hyperloader` command.

fn main() -> std::process::ExitCode {
    keep_freed_memory();
    keep_backtraces_out_of_messages();
    hyperloader::cli::main()
}

/// Makes the allocator keep freed tensors for the next step.
///
/// By default glibc returns every freed block above 128 KiB to the system. A training step frees and allocates gigabytes in such
/// blocks, and each time pays for the page faults.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "a C call")]
fn keep_freed_memory() {
    const KEEP: libc::c_int = 1 << 30;
    // SAFETY: mallopt takes two integers, and no other thread exists yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, KEEP);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEEP);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn keep_freed_memory() {}

/// Candle puts a backtrace into the text of its errors where `RUST_BACKTRACE` is set. That variable is often set for a whole
/// machine, so only `RUST_LIB_BACKTRACE` asks for it here.
#[allow(unsafe_code, reason = "the variables of a process are shared by its threads")]
fn keep_backtraces_out_of_messages() {
    const ERRORS: &str = "RUST_LIB_BACKTRACE";
    if std::env::var_os(ERRORS).is_none() {
        // SAFETY: no other thread exists yet.
        unsafe { std::env::set_var(ERRORS, "0") };
    }
}
