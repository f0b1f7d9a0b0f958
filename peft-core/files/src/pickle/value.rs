//! What a pickle computes.

use super::bytes::{Bytes, Span};

/// The number of a value in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id(pub(super) u32);

/// A value. The parts of a value are in the same table, so a value that is used twice is stored once, and no depth of nesting
/// needs recursion.
#[derive(Debug, Clone)]
pub(super) enum Value {
    None,
    Bool,
    Integer(i64),
    Float,
    Text(Span),
    /// A class or a function: its module and its name.
    Global(Span, Span),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// What a function returns, or an instance of a class: the function or class, and the arguments.
    Call(Id, Id),
    /// An instance with this state.
    Instance(Id),
    /// Something that is outside of the pickle: a storage.
    Outside(Id),
}

/// All values of a pickle.
#[derive(Debug)]
pub(super) struct Values<'a> {
    pub(super) bytes: Bytes<'a>,
    table: Vec<Value>,
}

/// The most values. A tensor of a state dict needs about fifteen.
const MOST_VALUES: usize = 500_000;

impl<'a> Values<'a> {
    pub(super) fn new(bytes: Bytes<'a>) -> Self {
        Self { bytes, table: Vec::new() }
    }

    pub(super) fn add(&mut self, value: Value) -> Result<Id, super::reason::Reason> {
        let id = u32::try_from(self.table.len()).ok().filter(|_| self.table.len() < MOST_VALUES);
        let id = id.ok_or_else(|| format!("it makes more than {MOST_VALUES} values: this is no state dict"))?;
        self.table.push(value);
        Ok(Id(id))
    }

    pub(super) fn get(&self, Id(id): Id) -> Option<&Value> {
        self.table.get(usize::try_from(id).ok()?)
    }

    pub(super) fn get_mut(&mut self, Id(id): Id) -> Option<&mut Value> {
        self.table.get_mut(usize::try_from(id).ok()?)
    }

    pub(super) fn text(&self, id: Id) -> Option<&'a str> {
        match self.get(id)? {
            Value::Text(span) => Some(self.bytes.str(*span)),
            _ => None,
        }
    }

    /// Module and name of a class or function.
    pub(super) fn global(&self, id: Id) -> Option<(&'a str, &'a str)> {
        match self.get(id)? {
            Value::Global(module, name) => Some((self.bytes.str(*module), self.bytes.str(*name))),
            _ => None,
        }
    }

    pub(super) fn tuple(&self, id: Id) -> Option<&[Id]> {
        match self.get(id)? {
            Value::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// Function or class and the arguments of a call.
    pub(super) fn call(&self, id: Id) -> Option<(Id, &[Id])> {
        match self.get(id)? {
            Value::Call(function, arguments) => Some((*function, self.tuple(*arguments)?)),
            _ => None,
        }
    }

    /// An integer that is not negative.
    pub(super) fn size(&self, id: Id) -> Option<usize> {
        match self.get(id)? {
            Value::Integer(integer) => usize::try_from(*integer).ok(),
            _ => None,
        }
    }
}
