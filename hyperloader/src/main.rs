//! The `hyperloader` command.

fn main() -> std::process::ExitCode {
    keep_freed_memory();
    hyperloader::cli::main()
}

/// Has the allocator keep freed tensors for the next step.
///
/// By default glibc gives every freed block above 128 KiB back to the system; a training step frees and asks for gigabytes
/// in such blocks, and pays for the page faults each time.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "the one C call of the binary")]
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
