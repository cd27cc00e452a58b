//! The members of a list or an object, one after the other.

use super::json::{Error, Reader};
use serde::Deserializer;
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor};

/// The members of a list or an object, or the one of an enum's object.
pub(super) struct Members<'r, 'de> {
    reader: &'r mut Reader<'de>,
    close: u8,
    /// How many were begun.
    read: usize,
    /// The key of the current member of an object.
    key: String,
}

impl<'r, 'de> Members<'r, 'de> {
    /// What comes up to the bracket `close`; the one that opens was read.
    pub(super) fn new(reader: &'r mut Reader<'de>, close: u8) -> Self {
        Self { reader, close, read: 0, key: String::new() }
    }

    /// Moves on to the next member; false at the end. The closing bracket is left to [`Members::close`].
    #[inline(never)]
    fn next(&mut self) -> Result<bool, Error> {
        if self.reader.peek() == Some(self.close) {
            return Ok(false);
        }
        if self.read > 0 {
            self.reader.expect(b',')?;
        }
        self.read += 1;
        Ok(true)
    }

    /// The closing bracket, which must come now: whoever wanted members read all that they wanted.
    #[inline(never)]
    pub(super) fn close(&mut self) -> Result<(), Error> {
        if self.next()? {
            return Err(Error::new("more stands here than is wanted"));
        }
        self.reader.expect(self.close)
    }

    /// The value of the current key. One copy for each type, however many keys have values of it.
    #[inline(never)]
    fn value<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        self.reader.expect(b':')?;
        seed.deserialize(&mut *self.reader).map_err(|error| error.within(&self.key))
    }
}

impl<'de> SeqAccess<'de> for &mut Members<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if !self.next()? {
            return Ok(None);
        }
        let index = self.read - 1;
        seed.deserialize(&mut *self.reader).map(Some).map_err(|error| error.within(&index.to_string()))
    }
}

impl<'de> MapAccess<'de> for &mut Members<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        if !self.next()? {
            return Ok(None);
        }
        self.key = self.reader.string()?.into_owned();
        let key: StrDeserializer<'_, Error> = self.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|error| error.within(&self.key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        self.value(seed)
    }
}

impl<'de> EnumAccess<'de> for &mut Members<'_, 'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        if !self.next()? {
            return Err(self.reader.unexpected("the name of a variant"));
        }
        self.key = self.reader.string()?.into_owned();
        let key: StrDeserializer<'_, Error> = self.key.as_str().into_deserializer();
        let variant = seed.deserialize(key).map_err(|error| error.within(&self.key))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for &mut Members<'_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        self.value(std::marker::PhantomData::<()>)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        self.value(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Error> {
        self.reader.expect(b':')?;
        self.reader.deserialize_seq(visitor).map_err(|error| error.within(&self.key))
    }

    fn struct_variant<V: Visitor<'de>>(self, _fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.reader.expect(b':')?;
        self.reader.deserialize_map(visitor).map_err(|error| error.within(&self.key))
    }
}
