//! Help for writing configurations.

use std::num::NonZeroUsize;

use crate::{Error, Result};

/// `n` as a [`NonZeroUsize`], for the defaults of configurations. A zero becomes 1.
pub const fn nonzero(n: usize) -> NonZeroUsize {
    match NonZeroUsize::new(n) {
        Some(n) => n,
        None => NonZeroUsize::MIN,
    }
}

/// Refuses a dropout that is not a probability below 1; `kind` and `field` are the names in configuration files.
///
/// # Errors
/// [`Error::InvalidConfig`].
pub fn check_dropout(kind: &str, field: &'static str, dropout: f64) -> Result<()> {
    match (0. ..1.).contains(&dropout) {
        true => Ok(()),
        false => Err(Error::invalid(kind, field, format!("is {dropout}, expected 0 or more and below 1"))),
    }
}

/// Makes `Box<dyn Config>` cloneable for the trait `$config`, which must have `$clone` among its supertraits. Every type that
/// implements the trait and [`Clone`] has `$clone`.
macro_rules! clone_boxed {
    ($config:ident, $clone:ident) => {
        #[doc = concat!("Copies a [`", stringify!($config), "`] of unknown type. Every one that is [`Clone`] has it.")]
        pub trait $clone {
            /// A copy.
            fn boxed(&self) -> Box<dyn $config>;
        }

        impl<T: $config + Clone> $clone for T {
            fn boxed(&self) -> Box<dyn $config> {
                Box::new(self.clone())
            }
        }

        impl Clone for Box<dyn $config> {
            fn clone(&self) -> Self {
                (**self).boxed()
            }
        }
    };
}
pub(crate) use clone_boxed;

/// Gives a configuration chainable setters, one for each `name => field: Type`.
///
/// | type | the setter takes | the field is |
/// |---|---|---|
/// | `Type` | `impl Into<Type>` | `Type` or `Option<Type>` |
/// | `[Type]` | an iterator over `impl Into<Type>` | `Vec<Type>` or `Option<Vec<Type>>` |
/// | `nonzero` | a `usize`; 0 counts as 1 | `NonZeroUsize` or `Option<NonZeroUsize>` |
///
/// ```
/// use std::num::NonZeroUsize;
///
/// #[derive(Default)]
/// pub struct MyConfig {
///     alpha: f64,
///     names: Vec<String>,
///     width: Option<NonZeroUsize>,
///     exclude_modules: Option<peft_core::TargetModules>,
/// }
///
/// peft_core::setters! {
///     MyConfig {
///         alpha => alpha: f64,
///         names => names: [String],
///         width => width: nonzero,
///         exclude_modules => exclude_modules: peft_core::TargetModules,
///     }
/// }
///
/// let config = MyConfig::default().alpha(8.).names(["a", "b"]).width(0).exclude_modules(["q", "v"]);
/// assert_eq!((config.alpha, config.names.len(), config.width), (8., 2, NonZeroUsize::new(1)));
/// ```
#[macro_export]
macro_rules! setters {
    (@each) => {};
    (@each $name:ident => $field:ident: [$item:ty] $(, $($rest:tt)*)?) => {
        #[doc = concat!("Sets the field `", stringify!($field), "`.")]
        #[must_use]
        pub fn $name<T: Into<$item>>(mut self, $name: impl IntoIterator<Item = T>) -> Self {
            let values: Vec<$item> = $name.into_iter().map(Into::into).collect();
            self.$field = values.into();
            self
        }
        $crate::setters!(@each $($($rest)*)?);
    };
    (@each $name:ident => $field:ident: nonzero $(, $($rest:tt)*)?) => {
        #[doc = concat!("Sets the field `", stringify!($field), "`. 0 counts as 1.")]
        #[must_use]
        pub fn $name(mut self, $name: usize) -> Self {
            self.$field = $crate::nonzero($name).into();
            self
        }
        $crate::setters!(@each $($($rest)*)?);
    };
    (@each $name:ident => $field:ident: $type:ty $(, $($rest:tt)*)?) => {
        #[doc = concat!("Sets the field `", stringify!($field), "`.")]
        #[must_use]
        pub fn $name(mut self, $name: impl Into<$type>) -> Self {
            let value: $type = $name.into();
            self.$field = value.into();
            self
        }
        $crate::setters!(@each $($($rest)*)?);
    };
    ($config:ty { $($setters:tt)* }) => {
        impl $config {
            $crate::setters!(@each $($setters)*);
        }
    };
}
