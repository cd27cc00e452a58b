//! What the macros read of a struct: its fields, its lifetime and their attributes.

use syn::{
    Attribute, Data, DeriveInput, Error, Expr, ExprLit, Fields, Ident, Lifetime, Lit, LitStr, Meta, Result, Type,
};

/// A field and the column that it stands for.
pub(crate) struct Field<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) ty: &'a Type,
    pub(crate) column: String,
    pub(crate) attributes: &'a [Attribute],
}

/// The named fields of a struct.
pub(crate) fn fields<'a>(input: &'a DeriveInput, macro_name: &str) -> Result<Vec<Field<'a>>> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(&input.ident, format!("`{macro_name}` is for structs with named fields")));
    };
    let Fields::Named(named) = &data.fields else {
        return Err(Error::new_spanned(
            &input.ident,
            format!("`{macro_name}` wants named fields, one for each column"),
        ));
    };
    let field = |field: &'a syn::Field| {
        let ident = field.ident.as_ref().ok_or_else(|| Error::new_spanned(field, "the field has no name"))?;
        let column = text(&field.attrs, "column")?.map_or_else(|| name(ident), |column| column.value());
        Ok(Field { ident, ty: &field.ty, column, attributes: &field.attrs })
    };
    named.named.iter().map(field).collect()
}

/// An identifier without the `r#` that may stand before it.
fn name(ident: &Ident) -> String {
    let name = ident.to_string();
    name.strip_prefix("r#").map(str::to_owned).unwrap_or(name)
}

/// The lifetime of the struct, where it has one; more, or types, are refused.
pub(crate) fn lifetime(input: &DeriveInput) -> Result<Option<&Lifetime>> {
    let mut lifetimes = input.generics.lifetimes().map(|param| &param.lifetime);
    let first = lifetimes.next();
    if lifetimes.next().is_some() || input.generics.params.len() > usize::from(first.is_some()) {
        return Err(Error::new_spanned(
            &input.generics,
            "at most one lifetime, and no type parameters, can stand here",
        ));
    }
    Ok(first)
}

/// The text of an attribute `#[name("text")]`.
pub(crate) fn text(attributes: &[Attribute], name: &str) -> Result<Option<LitStr>> {
    let found = attributes.iter().find(|attribute| attribute.path().is_ident(name));
    found.map(|attribute| attribute.parse_args::<LitStr>()).transpose()
}

/// The doc comment in one line.
pub(crate) fn doc(attributes: &[Attribute]) -> String {
    let line = |attribute: &Attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    };
    let lines: Vec<String> = attributes.iter().filter_map(line).collect();
    lines.join(" ").trim().trim_end_matches('.').to_owned()
}
