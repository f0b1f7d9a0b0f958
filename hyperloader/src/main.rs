//! The `hyperloader` command.

fn main() -> std::process::ExitCode {
    keep_freed_memory();
    hyperloader::cli::main()
}

/// Makes the allocator keep freed tensors for the next step.
///
/// By default glibc returns every freed block above 128 KiB to the system. A training step frees and allocates gigabytes in such
/// blocks, and each time pays for the page faults.
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
