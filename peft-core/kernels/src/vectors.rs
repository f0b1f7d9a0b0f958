//! Loops compiled for the widest vectors that the processor has.

/// Defines functions that are compiled three times, for AVX-512, for AVX2 and for the build's target, and that call the widest
/// version that the processor supports.
///
/// The body is repeated in each version, so its closures are compiled for the wide vectors too. Functions that it calls must
/// be `#[inline(always)]` to profit. The versions differ in how many elements they compute at once, and never in the order
/// of a sum: the bytes of a result are the same on every processor.
///
/// A definition takes any number of functions of plain arguments: no generics, no patterns, no `self`. The crate that uses it
/// must not `forbid` unsafe code; `deny` works.
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
