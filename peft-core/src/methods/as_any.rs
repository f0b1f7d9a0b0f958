//! From a trait object back to its type.

use std::any::Any;

/// A value whose concrete type can be looked up. Every `'static` type implements it.
///
/// ```
/// use peft_core::toy::Scale;
/// use peft_core::PeftConfig;
///
/// let method: Box<dyn PeftConfig> = Box::new(Scale::new(["q"]));
/// assert!((*method).as_any().downcast_ref::<Scale>().is_some());
/// ```
pub trait AsAny: Any {
    /// The value, for [`downcast_ref`](std::any::Any). Call it on the trait object itself, `(*boxed).as_any()`: a `Box`
    /// implements this trait too, and would return itself.
    fn as_any(&self) -> &dyn Any;
}

impl<T: Any> AsAny for T {
    fn as_any(&self) -> &dyn Any {
        self
    }
}
