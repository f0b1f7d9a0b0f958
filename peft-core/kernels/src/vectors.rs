//! Plain loops, compiled for the widest vectors that the processor has.

/// Defines a function that is compiled once more for each set of vector instructions, and that enters the widest one that
/// the processor has.
///
/// The body is written out for each, so that closures in it are compiled for these instructions as well, wherever they are
/// called from; functions that it calls must be `#[inline(always)]` to gain. The instructions decide how many elements are
/// computed at once, never in which order numbers are summed: the result's bytes are the same on every processor.
///
/// ```
/// peft_kernels::vectorized! {
///     /// `y_i += a x_i`.
///     fn add_scaled(y: &mut [f32], a: f32, x: &[f32]) {
///         for (y, x) in y.iter_mut().zip(x) {
///             *y += a * x;
///         }
///     }
/// }
///
/// let mut y = [1.0, 2.0];
/// add_scaled(&mut y, 2.0, &[10.0, 20.0]);
/// assert_eq!(y, [21.0, 42.0]);
/// ```
#[macro_export]
macro_rules! vectorized {
    ($($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block)+) => { $(
        $(#[$meta])*
        #[allow(unsafe_code, reason = "code for other vectors than the build's is entered after asking the processor")]
        $vis fn $name($($arg: $type),*) $(-> $result)? {
            #[cfg(target_arch = "x86_64")]
            {
                use std::arch::is_x86_feature_detected as has;

                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
                fn avx512($($arg: $type),*) $(-> $result)? $body

                #[target_feature(enable = "avx2")]
                fn avx2($($arg: $type),*) $(-> $result)? $body

                if has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl") {
                    // SAFETY: the processor has them.
                    return unsafe { avx512($($arg),*) };
                }
                if has!("avx2") {
                    // SAFETY: as above.
                    return unsafe { avx2($($arg),*) };
                }
            }
            $body
        }
    )+ };
}
pub(crate) use vectorized;
