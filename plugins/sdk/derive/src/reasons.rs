//! `derive(Reasons)`.

use crate::attributes;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Result, Variant};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Enum(data) = &input.data else {
        return Err(Error::new_spanned(&input.ident, "`Reasons` is for enums, one variant for each reason"));
    };
    let name = &input.ident;
    let variants: Vec<_> = data.variants.iter().map(|variant| &variant.ident).collect();
    let reasons = data.variants.iter().map(reason).collect::<Result<Vec<_>>>()?;
    let index = 0..variants.len();
    let matched = if variants.is_empty() {
        quote!(match *self {})
    } else {
        quote!(match self { #(Self::#variants => #index,)* })
    };
    Ok(quote! {
        impl ::sluice_sdk::record::Reasons for #name {
            const ALL: &'static [::sluice_sdk::record::ReasonInfo] = &[#(#reasons),*];

            #[inline]
            fn index(&self) -> usize {
                #matched
            }
        }
    })
}

fn reason(variant: &Variant) -> Result<TokenStream> {
    let ident = &variant.ident;
    if !matches!(variant.fields, Fields::Unit) {
        return Err(Error::new_spanned(variant, "a reason carries no data: codes are counted, values must not leak"));
    }
    let text = attributes::doc(&variant.attrs);
    if text.is_empty() {
        return Err(Error::new_spanned(variant, "the doc comment of a reason is its text for people; write one"));
    }
    let code = snake_case(&ident.to_string());
    if code.len() > 64 || !code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        return Err(Error::new_spanned(ident, "a reason code is 1 to 64 lower-case letters, digits and `_`"));
    }
    let column = match attributes::text(&variant.attrs, "column")? {
        Some(column) => quote!(::core::option::Option::Some(#column)),
        None => quote!(::core::option::Option::None),
    };
    Ok(quote!(::sluice_sdk::record::ReasonInfo { code: #code, text: #text, column: #column }))
}

/// `BadStatus` as `bad_status`.
fn snake_case(name: &str) -> String {
    let mut code = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !code.is_empty() {
            code.push('_');
        }
        code.extend(c.to_lowercase());
    }
    code
}
