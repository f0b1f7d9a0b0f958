//! From a trait object back to its type.

use std::any::Any;

/// A value whose concrete type can be asked for. Every `'static` type has it.
///
/// ```
/// use peft_core::toy::Scale;
/// use peft_core::{PeftConfig, TargetModules};
///
/// let method: Box<dyn PeftConfig> = Box::new(Scale { target_modules: TargetModules::AllLinear });
/// assert!((*method).as_any().downcast_ref::<Scale>().is_some());
/// ```
pub trait AsAny: Any {
    /// The value, ready for [`downcast_ref`](dyn Any::downcast_ref). Call it on the trait object itself (`(*boxed).as_any()`),
    /// since a `Box` is such a value too.
    fn as_any(&self) -> &dyn Any;
}

impl<T: Any> AsAny for T {
    fn as_any(&self) -> &dyn Any {
        self
    }
}
