//! The reader as serde wants it.

use super::json::{Error, MAX_DEPTH, Reader};
use super::members::Members;
use super::values::LITERAL;
use serde::de::value::StrDeserializer;
use serde::de::{Deserializer, Expected, Unexpected, Visitor};
use std::fmt;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::new(format!("{} stands here, where {wanted} is wanted", Shown(found)))
    }

    fn invalid_value(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::invalid_type(found, wanted)
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self::new(unknown("key", field, known))
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        Self::new(unknown("value", variant, known))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("the key `{field}` is missing"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("the key `{field}` stands here twice"))
    }
}

#[inline(never)]
fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let near = crate::nearest(name, known.iter().copied());
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    format!("unknown {what} `{name}`{hint} (known: {})", known.join(", "))
}

/// What was found, for people. Unlike serde's own it prints no floats: that code is larger than most rules.
struct Shown<'a>(Unexpected<'a>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unexpected::Bool(value) => write!(f, "`{value}`"),
            Unexpected::Unsigned(value) => write!(f, "`{value}`"),
            Unexpected::Signed(value) => write!(f, "`{value}`"),
            Unexpected::Float(_) => f.write_str("a number with a fraction or exponent"),
            Unexpected::Str(value) => write!(f, "the text `{value}`"),
            Unexpected::Unit | Unexpected::Option => f.write_str("null"),
            Unexpected::Seq => f.write_str("a list"),
            Unexpected::Map => f.write_str("an object"),
            Unexpected::Other(what) => f.write_str(what),
            _ => f.write_str("something else"),
        }
    }
}

impl<'de> Reader<'de> {
    /// A whole number of 64 bits, or what is wrong with it.
    #[inline(never)]
    fn whole_number(&mut self, wanted: &dyn Expected) -> Result<Whole, Error> {
        if !self.at_number() {
            return Err(self.unfit(wanted));
        }
        let text = self.number()?;
        whole(text).ok_or_else(|| {
            let found = "a number with a fraction, an exponent or too many digits";
            serde::de::Error::invalid_type(Unexpected::Other(found), wanted)
        })
    }

    fn at_number(&mut self) -> bool {
        matches!(self.peek(), Some(b'-' | b'0'..=b'9'))
    }

    /// What stands here, which is not what is wanted.
    #[cold]
    #[inline(never)]
    fn unfit(&mut self, wanted: &dyn Expected) -> Error {
        let found = match self.peek() {
            Some(b'{') => "an object".to_owned(),
            Some(b'[') => "a list".to_owned(),
            Some(b'"') => match self.string() {
                Ok(text) => format!("the text `{text}`"),
                Err(error) => return error,
            },
            Some(b'-' | b'0'..=b'9') => match self.number() {
                Ok(text) => format!("`{text}`"),
                Err(error) => return error,
            },
            Some(b't') => "`true`".to_owned(),
            Some(b'f') => "`false`".to_owned(),
            Some(b'n') => "null".to_owned(),
            _ => return self.unexpected("a value"),
        };
        serde::de::Error::invalid_type(Unexpected::Other(&found), wanted)
    }

    #[inline(never)]
    fn boolean(&mut self) -> Result<bool, Error> {
        let value = self.peek() == Some(b't');
        self.word(if value { "true" } else { "false" }).map(|()| value)
    }

    /// Reads members until `close`; `read` gets what visits them.
    fn nested<T>(
        &mut self,
        close: u8,
        read: impl FnOnce(&mut Members<'_, 'de>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.depth == MAX_DEPTH {
            return Err(Error::new(format!("lists and objects lie more than {MAX_DEPTH} deep in each other")));
        }
        self.depth += 1;
        let mut members = Members::new(self, close);
        let value = read(&mut members)?;
        members.close()?;
        self.depth -= 1;
        Ok(value)
    }
}

/// A whole number of 64 bits.
enum Whole {
    Positive(u64),
    Negative(i64),
}

#[inline(never)]
fn whole(text: &str) -> Option<Whole> {
    match text.parse() {
        Ok(value) => Some(Whole::Positive(value)),
        Err(_) => text.parse().ok().map(Whole::Negative),
    }
}

impl Whole {
    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Positive(value) => visitor.visit_u64(value),
            Self::Negative(value) => visitor.visit_i64(value),
        }
    }
}

/// Types that come as a JSON string.
macro_rules! texts {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            if self.peek() == Some(b'"') { visitor.visit_str(&self.string()?) } else { Err(self.unfit(&visitor)) }
        }
    )*};
}

/// Integer types: no float is parsed for them.
macro_rules! whole_numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.whole_number(&visitor)?.visit(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Error;

    whole_numbers!(deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128);
    whole_numbers!(deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128);

    texts!(deserialize_str deserialize_string deserialize_char deserialize_identifier);
    texts!(deserialize_bytes deserialize_byte_buf);

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek() {
            Some(b'{') => self.deserialize_map(visitor),
            Some(b'[') => self.deserialize_seq(visitor),
            Some(b't' | b'f') => self.deserialize_bool(visitor),
            Some(b'n') => self.word("null").and_then(|()| visitor.visit_unit()),
            Some(b'"') => self.deserialize_str(visitor),
            _ => self.deserialize_f64(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if matches!(self.peek(), Some(b't' | b'f')) {
            visitor.visit_bool(self.boolean()?)
        } else {
            Err(self.unfit(&visitor))
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if !self.at_number() {
            return Err(self.unfit(&visitor));
        }
        let text = self.number()?;
        if let Some(whole) = whole(text) {
            return whole.visit(visitor);
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => visitor.visit_f64(value),
            _ => Err(Error::new(format!("the number `{text}` is too large"))),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if !self.take(b'[') {
            return Err(self.unfit(&visitor));
        }
        self.nested(b']', |members| visitor.visit_seq(members))
    }

    /// An object. A text goes to the visitor, too: some things are told by a name alone or by an object.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek() {
            Some(b'{') => {
                self.take(b'{');
                self.nested(b'}', |members| visitor.visit_map(members))
            }
            _ => self.deserialize_str(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.peek() != Some(b'n') {
            return visitor.visit_some(self);
        }
        self.word("null")?;
        visitor.visit_none()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        match self.peek() {
            _ if name != LITERAL => visitor.visit_newtype_struct(self),
            Some(b'-' | b'0'..=b'9') => visitor.visit_str(self.number()?),
            Some(b't' | b'f') => visitor.visit_bool(self.boolean()?),
            _ => self.deserialize_str(visitor),
        }
    }

    /// A name, or an object of one member, which is named as the variant.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.peek() {
            Some(b'{') => {
                self.take(b'{');
                self.nested(b'}', |members| visitor.visit_enum(members))
            }
            Some(b'"') => visitor.visit_enum(StrDeserializer::<Error>::new(&self.string()?)),
            _ => Err(self.unfit(&visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.at_number() { self.number().and_then(|_| visitor.visit_unit()) } else { self.deserialize_any(visitor) }
    }

    /// Null, or `{}`, which is what an absent configuration comes as.
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek() {
            Some(b'{') => {
                self.take(b'{');
                self.expect(b'}')?;
            }
            Some(b'n') => self.word("null")?,
            _ => return Err(self.unfit(&visitor)),
        }
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }
}
