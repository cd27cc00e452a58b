//! Texts with parts that only the account knows.

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// As it stands.
    Plain(String),
    /// `aws`, or that of another family of regions.
    Partition,
    /// Region.
    Region,
    /// Account number.
    Account,
    /// ARN of the workgroup: its last part is an id that only the account knows.
    Workgroup,
    /// A setting of Terraform: `var.host_services`.
    Setting(&'static str),
    /// A variable that IAM fills in: `aws:userid`.
    Caller(&'static str),
}

/// A text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Text(pub(super) Vec<Part>);

impl Text {
    /// A text that everybody knows.
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self(vec![Part::Plain(text.into())])
    }

    /// An ARN of this account and region.
    pub(super) fn arn(service: &str, rest: impl Into<String>) -> Self {
        Self::plain("arn:")
            .then(Part::Partition)
            .then(plain(format!(":{service}:")))
            .then(Part::Region)
            .then(plain(":"))
            .then(Part::Account)
            .then(plain(":"))
            .then(plain(rest))
    }

    /// An ARN of S3, which has neither region nor account.
    pub(super) fn s3(rest: impl Into<String>) -> Self {
        Self::plain("arn:").then(Part::Partition).then(plain(":s3:::")).then(plain(rest))
    }

    /// An ARN of IAM, which has no region.
    pub(super) fn iam(rest: impl Into<String>) -> Self {
        let arn = Self::plain("arn:").then(Part::Partition).then(plain(":iam::"));
        arn.then(Part::Account).then(plain(":")).then(plain(rest))
    }

    /// One part alone.
    pub(super) fn of(part: Part) -> Self {
        Self(vec![part])
    }

    fn then(mut self, part: Part) -> Self {
        match (self.0.last_mut(), part) {
            (Some(Part::Plain(last)), Part::Plain(more)) => last.push_str(&more),
            (_, part) => self.0.push(part),
        }
        self
    }
}

fn plain(text: impl Into<String>) -> Part {
    Part::Plain(text.into())
}
