//! The stack machine whose programs are pickles.

use std::collections::HashMap;

use super::bytes::Bytes;
use super::reason::Reason;
use super::value::{Id, Value, Values};

/// Runs a program, and returns all values and the one that it ends with.
pub(super) fn run(program: &[u8]) -> Result<(Values<'_>, Id), Reason> {
    let mut machine = Machine { values: Values::new(Bytes::new(program)), stack: Vec::new(), memo: HashMap::new() };
    loop {
        let at = machine.values.bytes.at();
        let step = machine.values.bytes.byte().and_then(|instruction| machine.step(instruction));
        if let Some(root) = step.map_err(|reason| format!("byte {at}: {reason}"))? {
            return Ok((machine.values, root));
        }
    }
}

struct Machine<'a> {
    values: Values<'a>,
    /// The values at hand; `None` is a mark.
    stack: Vec<Option<Id>>,
    memo: HashMap<u32, Id>,
}

impl Machine<'_> {
    /// Runs one instruction. Returns the program's result if it was the last.
    fn step(&mut self, instruction: u8) -> Result<Option<Id>, Reason> {
        match instruction {
            b'.' => return self.pop().map(Some),
            // The version, and the length of a frame.
            0x80 => drop(self.values.bytes.byte()?),
            0x95 => drop(self.values.bytes.array::<8>()?),
            b'N' | 0x88 | 0x89 | b'K' | b'M' | b'J' | 0x8a | b'G' | b'X' | 0x8c => {
                let value = self.scalar(instruction)?;
                self.push(value)?;
            }
            b'c' => {
                let value = Value::Global(self.values.bytes.line()?, self.values.bytes.line()?);
                self.push(value)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let value = match (self.values.get(module), self.values.get(name)) {
                    (Some(Value::Text(module)), Some(Value::Text(name))) => Value::Global(*module, *name),
                    _ => return Err("a global without a name".to_owned()),
                };
                self.push(value)?;
            }
            b'(' => self.stack.push(None),
            b')' | b't' | 0x85..=0x87 | b']' | b'}' | b'd' | b'a' | b'e' | b's' | b'u' => {
                self.container(instruction)?
            }
            b'q' | b'r' | 0x94 | b'h' | b'j' => self.memo(instruction)?,
            b'R' | 0x81 | b'b' | b'Q' => self.object(instruction)?,
            other => return Err(format!("unknown instruction {other:#04x}")),
        }
        Ok(None)
    }

    fn scalar(&mut self, instruction: u8) -> Result<Value, Reason> {
        let bytes = &mut self.values.bytes;
        Ok(match instruction {
            b'K' => Value::Integer(bytes.byte()?.into()),
            b'M' => Value::Integer(u16::from_le_bytes(bytes.array()?).into()),
            b'J' => Value::Integer(i32::from_le_bytes(bytes.array()?).into()),
            0x8a => {
                let length = bytes.byte()?;
                Value::Integer(bytes.integer(length)?)
            }
            b'G' => bytes.array::<8>().map(|_| Value::Float)?,
            b'X' => {
                let length = u32::from_le_bytes(bytes.array()?);
                Value::Text(bytes.text(length)?)
            }
            0x8c => {
                let length = bytes.byte()?.into();
                Value::Text(bytes.text(length)?)
            }
            b'N' => Value::None,
            _ => Value::Bool,
        })
    }

    /// Makes a tuple, a list or a dict, or adds to one.
    fn container(&mut self, instruction: u8) -> Result<(), Reason> {
        match instruction {
            b')' => self.push(Value::Tuple(Vec::new())),
            b']' => self.push(Value::List(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            0x85..=0x87 => {
                let length = usize::from(instruction - 0x84);
                let items = self.take(length)?;
                self.push(Value::Tuple(items))
            }
            b't' => {
                let items = self.take_to_mark()?;
                self.push(Value::Tuple(items))
            }
            b'd' => {
                let entries = pairs(&self.take_to_mark()?)?;
                self.push(Value::Dict(entries))
            }
            _ => {
                let items = match instruction {
                    b'a' => self.take(1)?,
                    b's' => self.take(2)?,
                    _ => self.take_to_mark()?,
                };
                let last = self.stack.last().copied().flatten();
                match (instruction, last.and_then(|id| self.values.get_mut(id))) {
                    (b'a' | b'e', Some(Value::List(list))) => list.extend(items),
                    (b's' | b'u', Some(Value::Dict(dict))) => dict.extend(pairs(&items)?),
                    _ => return Err("an item for something that is no list and no dict".to_owned()),
                }
                Ok(())
            }
        }
    }

    /// Remembers the last value under a number, or pushes a remembered one.
    fn memo(&mut self, instruction: u8) -> Result<(), Reason> {
        let bytes = &mut self.values.bytes;
        let number = match instruction {
            b'q' | b'h' => bytes.byte()?.into(),
            b'r' | b'j' => u32::from_le_bytes(bytes.array()?),
            _ => u32::try_from(self.memo.len()).map_err(|_| "too much to remember".to_owned())?,
        };
        if matches!(instruction, b'h' | b'j') {
            let id = self.memo.get(&number).ok_or_else(|| format!("nothing is remembered as {number}"))?;
            self.stack.push(Some(*id));
            return Ok(());
        }
        let last = self.stack.last().copied().flatten().ok_or_else(|| "nothing to remember".to_owned())?;
        self.memo.insert(number, last);
        Ok(())
    }

    /// Makes what needs a class or a function. None is ever called.
    fn object(&mut self, instruction: u8) -> Result<(), Reason> {
        if instruction == b'Q' {
            let name = self.pop()?;
            return self.push(Value::Outside(name));
        }
        let (second, first) = (self.pop()?, self.pop()?);
        if instruction == b'b' {
            return match self.values.get(first) {
                // The attributes of an `OrderedDict`, such as `_metadata`, are not its items.
                Some(Value::Dict(_)) => {
                    self.stack.push(Some(first));
                    Ok(())
                }
                _ => self.push(Value::Instance(second)),
            };
        }
        let is_dict = matches!(self.values.global(first), Some(("collections", "OrderedDict" | "defaultdict")));
        self.push(if is_dict { Value::Dict(Vec::new()) } else { Value::Call(first, second) })
    }

    fn push(&mut self, value: Value) -> Result<(), Reason> {
        let id = self.values.add(value)?;
        self.stack.push(Some(id));
        Ok(())
    }

    fn pop(&mut self) -> Result<Id, Reason> {
        self.stack.pop().flatten().ok_or_else(|| "a value is missing".to_owned())
    }

    /// The last `count` values.
    fn take(&mut self, count: usize) -> Result<Vec<Id>, Reason> {
        let mut items = (0..count).map(|_| self.pop()).collect::<Result<Vec<Id>, _>>()?;
        items.reverse();
        Ok(items)
    }

    /// The values after the last mark, which is removed.
    fn take_to_mark(&mut self) -> Result<Vec<Id>, Reason> {
        let mark = self.stack.iter().rposition(Option::is_none).ok_or_else(|| "a mark is missing".to_owned())?;
        Ok(self.stack.drain(mark..).flatten().collect())
    }
}

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>, Reason> {
    match items.as_chunks::<2>() {
        (pairs, []) => Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect()),
        _ => Err("a key without a value".to_owned()),
    }
}
