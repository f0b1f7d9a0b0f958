//! Help for writing configurations.

use std::num::NonZeroUsize;

/// `n` as a [`NonZeroUsize`], for the defaults of configurations. A zero becomes 1.
pub const fn nonzero(n: usize) -> NonZeroUsize {
    match NonZeroUsize::new(n) {
        Some(n) => n,
        None => NonZeroUsize::MIN,
    }
}

/// Gives a configuration chainable setters: `name => field: Type`.
///
/// Each setter takes `impl Into<Type>` and stores the value in the field, which is a `Type` or an `Option<Type>`.
///
/// ```
/// #[derive(Default)]
/// pub struct MyConfig {
///     alpha: f64,
///     exclude_modules: Option<peft_core::TargetModules>,
/// }
///
/// peft_core::setters! {
///     MyConfig {
///         alpha => alpha: f64,
///         exclude_modules => exclude_modules: peft_core::TargetModules,
///     }
/// }
///
/// let config = MyConfig::default().alpha(8.).exclude_modules(["q", "v"]);
/// assert_eq!(config.alpha, 8.);
/// ```
#[macro_export]
macro_rules! setters {
    ($config:ty { $($name:ident => $field:ident: $type:ty),* $(,)? }) => {
        impl $config {
            $(
                #[doc = concat!("Sets the field `", stringify!($field), "`.")]
                #[must_use]
                pub fn $name(mut self, $name: impl Into<$type>) -> Self {
                    let value: $type = $name.into();
                    self.$field = value.into();
                    self
                }
            )*
        }
    };
}
