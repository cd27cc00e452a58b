//! Values of any type, and imports that return them.

use wasmtime::component::types::{ComponentExtern, ComponentItem};
use wasmtime::component::{LinkerInstance, ResourceType, Type, Val};
use wasmtime::{Engine, Ref, Result, ValType};

/// Which values functions are called with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    /// Zeros, and nothing in whatever can be empty.
    Least,
    /// All bits set, and something in whatever can be empty.
    Most,
    /// What neither of them is.
    Between,
}

impl Values {
    pub(crate) const ALL: [Self; 3] = [Self::Least, Self::Most, Self::Between];

    fn number(self) -> u64 {
        match self {
            Self::Least => 0,
            Self::Most => u64::MAX,
            Self::Between => 0x0000_8001_0001_0010,
        }
    }

    /// A value of a core module; `None` where a type has none that could be made up.
    pub(crate) fn core(self, ty: &ValType) -> Option<wasmtime::Val> {
        let number = self.number();
        Some(match ty {
            ValType::I32 => wasmtime::Val::I32(number as i32),
            ValType::I64 => wasmtime::Val::I64(number as i64),
            ValType::F32 => wasmtime::Val::F32(number as u32),
            ValType::F64 => wasmtime::Val::F64(number),
            ValType::V128 => wasmtime::Val::V128((u128::from(number) << 64 | u128::from(number)).into()),
            ValType::Ref(ty) if ty.is_nullable() => Ref::null(&ty.heap_type().top()).into(),
            ValType::Ref(_) => return None,
        })
    }

    /// A value of a component; `None` for handles, of which there are none.
    pub(crate) fn of(self, ty: &Type) -> Option<Val> {
        let number = self.number();
        let least = self == Self::Least;
        let one = |ty: Option<Type>| -> Option<Option<Box<Val>>> {
            Some(match ty {
                Some(ty) => Some(Box::new(self.of(&ty)?)),
                None => None,
            })
        };
        Some(match ty {
            Type::Bool => Val::Bool(!least),
            Type::S8 => Val::S8(number as i8),
            Type::U8 => Val::U8(number as u8),
            Type::S16 => Val::S16(number as i16),
            Type::U16 => Val::U16(number as u16),
            Type::S32 => Val::S32(number as i32),
            Type::U32 => Val::U32(number as u32),
            Type::S64 => Val::S64(number as i64),
            Type::U64 => Val::U64(number),
            Type::Float32 => Val::Float32(f32::from_bits(number as u32)),
            Type::Float64 => Val::Float64(f64::from_bits(number)),
            Type::Char => Val::Char(if least { '\0' } else { char::MAX }),
            Type::String => Val::String(if least { String::new() } else { "\u{10ffff}ä\0 text".repeat(50) }),
            Type::List(list) => Val::List(vec![self.of(&list.ty())?; if least { 0 } else { 7 }]),
            Type::Record(record) => {
                let fields = record.fields().map(|field| Some((field.name.to_owned(), self.of(&field.ty)?)));
                Val::Record(fields.collect::<Option<_>>()?)
            }
            Type::Tuple(tuple) => Val::Tuple(tuple.types().map(|ty| self.of(&ty)).collect::<Option<_>>()?),
            Type::Variant(variant) => {
                let mut cases = variant.cases();
                let case = if least { cases.next() } else { cases.last() }?;
                Val::Variant(case.name.to_owned(), one(case.ty)?)
            }
            Type::Enum(cases) => {
                let mut names = cases.names();
                Val::Enum(if least { names.next() } else { names.last() }?.to_owned())
            }
            Type::Option(_) if least => Val::Option(None),
            Type::Option(option) => Val::Option(one(Some(option.ty()))?),
            Type::Result(result) if least => Val::Result(Ok(one(result.ok())?)),
            Type::Result(result) => Val::Result(Err(one(result.err())?)),
            Type::Flags(_) if least => Val::Flags(Vec::new()),
            Type::Flags(flags) => Val::Flags(flags.names().map(str::to_owned).collect()),
            _ => return None,
        })
    }
}

/// Defines all imports: functions return [`Values::Least`], or trap where they would have to return a handle.
///
/// # Errors
/// A core module or a component is imported.
pub(crate) fn define<'a, T: 'static>(
    linker: &mut LinkerInstance<'_, T>,
    engine: &Engine,
    imports: impl Iterator<Item = (&'a str, ComponentExtern<'a>)>,
) -> Result<()> {
    for (name, import) in imports {
        match import.ty {
            ComponentItem::ComponentFunc(_) => linker.func_new(name, |_, ty, _, results| {
                for (result, ty) in results.iter_mut().zip(ty.results()) {
                    let made_up = Values::Least.of(&ty);
                    *result = made_up.ok_or_else(|| wasmtime::format_err!("there is no handle to return"))?;
                }
                Ok(())
            })?,
            ComponentItem::ComponentInstance(instance) => {
                define(&mut linker.instance(name)?, engine, instance.exports(engine))?;
            }
            ComponentItem::Resource(_) => linker.resource(name, ResourceType::host::<()>(), |_, _| Ok(()))?,
            ComponentItem::Type(_) => {}
            _ => wasmtime::bail!("there is no stub for `{name}`"),
        }
    }
    Ok(())
}
