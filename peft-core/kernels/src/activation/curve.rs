//! What an activation is to the loops that apply it.

/// A function of one number.
pub(crate) trait Curve {
    /// The function.
    fn value(x: f32) -> f32;

    /// Its derivative.
    fn slope(x: f32) -> f32;

    /// The gradient of the argument `x`, from the gradient `g` of the result.
    #[inline(always)]
    fn gradient(x: f32, g: f32) -> f32 {
        g * Self::slope(x)
    }
}
