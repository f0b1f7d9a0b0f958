//! Limits for one input: a second of processor time, and 64 MB of memory and four times the input.
//!
//! Memory is what the program asks for, not what the process has: a buffer of four gigabytes that nothing touches counts too.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// Memory that every input may use.
const SPARE_BYTES: usize = 64 << 20;
/// Further memory for each byte of input.
const TIMES_THE_INPUT: usize = 4;
/// Processor time of all threads.
const MOST_TIME: Duration = Duration::from_secs(1);

static NOW: AtomicUsize = AtomicUsize::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);

/// The system's allocator, which ends the process beyond the limit.
pub struct Counting;

impl Counting {
    fn grow(bytes: usize) {
        let now = NOW.fetch_add(bytes, Relaxed).saturating_add(bytes);
        if now > LIMIT.load(Relaxed) {
            // The message needs memory too.
            LIMIT.store(usize::MAX, Relaxed);
            let trace = std::backtrace::Backtrace::force_capture();
            eprintln!("memory: {bytes} bytes more than the limit allows\n{trace}");
            std::process::abort();
        }
    }
}

// SAFETY: the system's allocator does everything; this counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::grow(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::grow(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::grow(size);
        NOW.fetch_sub(layout.size(), Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Runs `work` on an input of `bytes` bytes.
///
/// # Panics
/// If it takes too much time; too much memory ends the process.
pub fn bounded<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    let room = SPARE_BYTES + TIMES_THE_INPUT * bytes;
    LIMIT.store(NOW.load(Relaxed) + room, Relaxed);
    let start = processor_time();
    let value = work();
    let time = processor_time() - start;
    LIMIT.store(usize::MAX, Relaxed);
    assert!(time < MOST_TIME, "{time:?} for {bytes} bytes");
    value
}

/// The processor time of this process. Other programs on the machine do not change it.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists, and `time` is where the answer goes.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Lets a panic that the code under test catches pass. One that it does not catch still ends the process, in libFuzzer's runner.
pub fn allow_caught_panics() {
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
}
