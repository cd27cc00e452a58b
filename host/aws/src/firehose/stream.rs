//! What a delivery stream does with the records that it is given.

use super::FirehoseConfig;
use crate::client::{Aws, retry};
use aws_sdk_firehose::types::{
    CompressionFormat, DeliveryStreamDescription, DeliveryStreamStatus, DeliveryStreamType,
    ExtendedS3DestinationDescription, ProcessingConfiguration, ProcessorType,
};
use sluice_ports::{Kind, PortError, Result};
use std::time::Duration;

/// How objects are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// Gzip; the names end in `.gz`.
    Gzip,
}

/// What matters of a delivery stream that was found to fit its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamFacts {
    /// How its objects are compressed.
    pub compression: Compression,
    /// Why a record may hold one row only, where it may: the service looks into records.
    pub one_row: Option<&'static str>,
    /// Whether objects are converted to another format, so that they hold no lines of JSON.
    pub converted: bool,
    /// How long it holds records back at most while all is well.
    pub buffer_interval: Duration,
    /// The prefix of its objects, expressions included.
    pub prefix: String,
}

impl StreamFacts {
    /// Asks the service, and compares with the configuration.
    ///
    /// # Errors
    /// [`Kind::NotFound`] where there is no such stream; [`Kind::Fatal`] with all differences where it does not fit.
    pub async fn ask(aws: &Aws, config: &FirehoseConfig) -> Result<Self> {
        let (operation, what) = ("DescribeDeliveryStream", format!("delivery stream `{}`", config.stream));
        let call = || aws.firehose().describe_delivery_stream().delivery_stream_name(&config.stream).send();
        let answer = retry(aws.retry(), operation, &what, call).await?;
        match answer.delivery_stream_description() {
            Some(description) => Self::of(description, config),
            None => Err(PortError::new(Kind::Fatal, format!("{what}: the answer of {operation} describes nothing"))),
        }
    }

    /// Compares a description with the configuration.
    ///
    /// # Errors
    /// [`Kind::Fatal`] with all differences.
    pub fn of(description: &DeliveryStreamDescription, config: &FirehoseConfig) -> Result<Self> {
        let mut findings = Vec::new();
        check_stream(description, &mut findings);
        let destination =
            description.destinations().first().and_then(|found| found.extended_s3_destination_description());
        match destination {
            Some(destination) => check_destination(destination, config, &mut findings),
            None => findings.push("it does not write to S3".to_owned()),
        }
        match (destination, findings.as_slice()) {
            (Some(destination), []) => Ok(Self::of_destination(destination)),
            _ => {
                let message = format!(
                    "delivery stream `{}` does not fit its environment: {}; correct the stream or the environment",
                    config.stream,
                    findings.join("; ")
                );
                Err(PortError::new(Kind::Fatal, message))
            }
        }
    }

    fn of_destination(destination: &ExtendedS3DestinationDescription) -> Self {
        // what the service takes where nothing is said
        const DEFAULT_INTERVAL: u64 = 300;
        let interval = destination.buffering_hints().and_then(|hints| hints.interval_in_seconds());
        let seconds = interval.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(DEFAULT_INTERVAL);
        Self {
            compression: match destination.compression_format() {
                CompressionFormat::Gzip => Compression::Gzip,
                _ => Compression::None,
            },
            one_row: one_row(destination),
            converted: is_converted(destination),
            buffer_interval: Duration::from_secs(seconds),
            prefix: destination.prefix().unwrap_or_default().to_owned(),
        }
    }
}

fn check_stream(description: &DeliveryStreamDescription, findings: &mut Vec<String>) {
    let status = description.delivery_stream_status();
    if *status != DeliveryStreamStatus::Active {
        findings.push(format!("it is {status}, not ACTIVE"));
    }
    let kind = description.delivery_stream_type();
    if *kind != DeliveryStreamType::DirectPut {
        findings.push(format!("its source is {kind}, and only DirectPut takes records from Sluice"));
    }
}

fn check_destination(
    destination: &ExtendedS3DestinationDescription,
    config: &FirehoseConfig,
    findings: &mut Vec<String>,
) {
    let arn = destination.bucket_arn();
    let bucket = arn.rsplit(':').next().unwrap_or(arn);
    if bucket != config.bucket {
        findings.push(format!("it writes to bucket `{bucket}`, the environment says `{}`", config.bucket));
    }
    check_prefix("prefix", destination.prefix(), &config.prefix, findings);
    if !config.error_prefix.is_empty() {
        check_prefix("error prefix", destination.error_output_prefix(), &config.error_prefix, findings);
    }
    check_names(destination, findings);
}

/// The part of a prefix before its first expression is compared: all objects lie below it.
fn check_prefix(name: &str, found: Option<&str>, wanted: &str, findings: &mut Vec<String>) {
    let found = found.unwrap_or_default();
    let fixed = found.split("!{").next().unwrap_or_default();
    if !fixed.starts_with(wanted) {
        findings.push(format!("its {name} is `{found}`, the environment says `{wanted}`"));
    }
}

/// Readers know by its name whether an object is compressed.
fn check_names(destination: &ExtendedS3DestinationDescription, findings: &mut Vec<String>) {
    let format = destination.compression_format();
    let extension = destination.file_extension().filter(|extension| !extension.is_empty());
    match (format, extension) {
        (CompressionFormat::Gzip, Some(extension)) if !extension.ends_with(".gz") => {
            findings.push(format!("its objects are gzip but their names end in `{extension}`, not `.gz`"));
        }
        (CompressionFormat::Uncompressed, Some(extension)) if extension.ends_with(".gz") => {
            findings.push(format!("its objects are not compressed but their names end in `{extension}`"));
        }
        (CompressionFormat::Gzip | CompressionFormat::Uncompressed, _) => {}
        (other, _) => {
            findings.push(format!("its objects are compressed as {other}, and only GZIP or none can be read"));
        }
    }
}

/// Why the service looks into records, if it does.
fn one_row(destination: &ExtendedS3DestinationDescription) -> Option<&'static str> {
    if destination.dynamic_partitioning_configuration().is_some_and(|found| found.enabled().unwrap_or(true)) {
        return Some("dynamic partitioning");
    }
    if is_converted(destination) {
        return Some("format conversion");
    }
    destination.processing_configuration().is_some_and(looks_into_records).then_some("a processor")
}

fn is_converted(destination: &ExtendedS3DestinationDescription) -> bool {
    destination.data_format_conversion_configuration().is_some_and(|found| found.enabled().unwrap_or(true))
}

fn looks_into_records(processing: &ProcessingConfiguration) -> bool {
    let enabled = processing.enabled().unwrap_or(true);
    // a delimiter after each record gives empty lines, which hurt nobody
    enabled && processing.processors().iter().any(|found| *found.r#type() != ProcessorType::AppendDelimiterToRecord)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_firehose::types::builders::ExtendedS3DestinationDescriptionBuilder;
    use aws_sdk_firehose::types::{
        BufferingHints, DataFormatConversionConfiguration, DestinationDescription, DynamicPartitioningConfiguration,
        EncryptionConfiguration, Processor,
    };

    fn destination() -> ExtendedS3DestinationDescriptionBuilder {
        ExtendedS3DestinationDescription::builder()
            .role_arn("arn:aws:iam::1:role/r")
            .bucket_arn("arn:aws:s3:::lake")
            .prefix("firehose/orders/!{timestamp:yyyy/MM}/")
            .error_output_prefix("errors/orders/!{firehose:error-output-type}/")
            .buffering_hints(BufferingHints::builder().interval_in_seconds(60).build())
            .compression_format(CompressionFormat::Gzip)
            .encryption_configuration(EncryptionConfiguration::builder().build())
    }

    fn of(destination: ExtendedS3DestinationDescriptionBuilder, kind: DeliveryStreamType) -> Result<StreamFacts> {
        let destination = destination.build().unwrap();
        let destination = DestinationDescription::builder()
            .destination_id("1")
            .extended_s3_destination_description(destination)
            .build()
            .unwrap();
        let description = DeliveryStreamDescription::builder()
            .delivery_stream_name("orders")
            .delivery_stream_arn("arn:aws:firehose:eu-west-1:1:deliverystream/orders")
            .delivery_stream_status(DeliveryStreamStatus::Active)
            .delivery_stream_type(kind)
            .version_id("1")
            .destinations(destination)
            .has_more_destinations(false)
            .build()
            .unwrap();
        let config = FirehoseConfig {
            error_prefix: "errors/".into(),
            ..FirehoseConfig::new("orders", "lake", "firehose/orders/")
        };
        StreamFacts::of(&description, &config)
    }

    #[test]
    fn a_stream_that_fits_tells_how_it_delivers() {
        let facts = of(destination(), DeliveryStreamType::DirectPut).unwrap();
        assert_eq!((facts.compression, facts.one_row, facts.converted), (Compression::Gzip, None, false));
        assert_eq!(facts.buffer_interval, Duration::from_secs(60));
    }

    #[test]
    fn every_difference_is_named_at_once() {
        let other = destination()
            .bucket_arn("arn:aws:s3:::pond")
            .prefix("orders/")
            .error_output_prefix("wrong/")
            .compression_format(CompressionFormat::Snappy);
        let error = of(other, DeliveryStreamType::KinesisStreamAsSource).unwrap_err();
        assert_eq!(
            error.message,
            "delivery stream `orders` does not fit its environment: its source is KinesisStreamAsSource, and only \
             DirectPut takes records from Sluice; it writes to bucket `pond`, the environment says `lake`; its prefix is \
             `orders/`, the environment says `firehose/orders/`; its error prefix is `wrong/`, the environment says \
             `errors/`; its objects are compressed as Snappy, and only GZIP or none can be read; correct the stream or \
             the environment"
        );
    }

    #[test]
    fn names_tell_the_compression() {
        for (format, extension, fits) in [
            (CompressionFormat::Gzip, ".json.gz", true),
            (CompressionFormat::Gzip, ".json", false),
            (CompressionFormat::Uncompressed, ".json", true),
            (CompressionFormat::Uncompressed, ".gz", false),
        ] {
            let named = destination().compression_format(format.clone()).file_extension(extension);
            assert_eq!(of(named, DeliveryStreamType::DirectPut).is_ok(), fits, "{format} {extension}");
        }
    }

    #[test]
    fn a_service_that_looks_into_records_gets_a_row_in_each() {
        let processor = |kind| {
            let processor = Processor::builder().r#type(kind).build().unwrap();
            ProcessingConfiguration::builder().enabled(true).processors(processor).build()
        };
        let partitioned = DynamicPartitioningConfiguration::builder().enabled(true).build();
        let converted = DataFormatConversionConfiguration::builder().enabled(true).build();
        let switched_off = DataFormatConversionConfiguration::builder().enabled(false).build();
        for (destination, expected) in [
            (destination().dynamic_partitioning_configuration(partitioned), Some("dynamic partitioning")),
            (destination().data_format_conversion_configuration(converted), Some("format conversion")),
            (destination().data_format_conversion_configuration(switched_off), None),
            (destination().processing_configuration(processor(ProcessorType::Lambda)), Some("a processor")),
            (destination().processing_configuration(processor(ProcessorType::AppendDelimiterToRecord)), None),
        ] {
            assert_eq!(of(destination, DeliveryStreamType::DirectPut).unwrap().one_row, expected);
        }
    }
}
