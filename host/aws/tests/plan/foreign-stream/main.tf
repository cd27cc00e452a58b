# What the pipeline `orders` needs of an AWS account. Written by `sluice aws plan`.

terraform {
  required_version = ">= 1.3"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "host_services" {
  description = "Services that run the host: those that may take its role."
  type        = list(string)
  default     = ["ec2.amazonaws.com", "ecs-tasks.amazonaws.com"]
}

variable "create_buckets" {
  description = "Whether buckets are made, and their lifecycle rules with them: a bucket has one list of rules."
  type        = bool
  default     = true
}

data "aws_partition" "current" {}

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id
  account   = data.aws_caller_identity.current.account_id
}

resource "aws_kinesis_stream_consumer" "source" {
  name       = "sluice"
  stream_arn = "arn:aws:kinesis:eu-west-1:210987654321:stream/orders"
}

resource "aws_s3_bucket" "lake" {
  count  = var.create_buckets ? 1 : 0
  bucket = "lake.example"
}

resource "aws_s3_bucket_public_access_block" "lake" {
  count                   = var.create_buckets ? 1 : 0
  bucket                  = aws_s3_bucket.lake[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "lake" {
  count  = var.create_buckets ? 1 : 0
  bucket = aws_s3_bucket.lake[0].id

  rule {
    id     = "abort-incomplete-uploads-lake-orders"
    status = "Enabled"

    filter {
      prefix = "lake/orders/"
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }

  rule {
    id     = "abort-incomplete-uploads-firehose-orders"
    status = "Enabled"

    filter {
      prefix = "firehose/orders/"
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }

  rule {
    id     = "abort-incomplete-uploads-firehose-errors-orders"
    status = "Enabled"

    filter {
      prefix = "firehose-errors/orders/"
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }
}

resource "aws_cloudwatch_log_group" "delivery" {
  name              = "/aws/kinesisfirehose/orders-silver"
  retention_in_days = 14
}

resource "aws_cloudwatch_log_stream" "delivery" {
  name           = "S3Delivery"
  log_group_name = aws_cloudwatch_log_group.delivery.name
}

resource "aws_kinesis_firehose_delivery_stream" "delivery" {
  name        = "orders-silver"
  destination = "extended_s3"
  depends_on  = [aws_iam_role_policy.firehose]

  server_side_encryption {
    enabled = true
  }

  extended_s3_configuration {
    role_arn            = aws_iam_role.firehose.arn
    bucket_arn          = "arn:${local.partition}:s3:::lake.example"
    prefix              = "firehose/orders/"
    error_output_prefix = "firehose-errors/orders/!{firehose:error-output-type}/"
    compression_format  = "GZIP"
    buffering_size      = 64
    buffering_interval  = 60
    kms_key_arn         = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.delivery.name
      log_stream_name = aws_cloudwatch_log_stream.delivery.name
    }
  }
}

resource "aws_iam_role" "host" {
  name        = "sluice-orders-host"
  description = "The process that runs the pipeline."
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          Service = var.host_services
        }
        Action = "sts:AssumeRole"
      },
    ]
  })
}

resource "aws_iam_role_policy" "host" {
  name = "sluice"
  role = aws_iam_role.host.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Stream"
        Effect   = "Allow"
        Action   = ["kinesis:DescribeStreamSummary", "kinesis:ListShards", "kinesis:RegisterStreamConsumer"]
        Resource = ["arn:aws:kinesis:eu-west-1:210987654321:stream/orders"]
      },
      {
        Sid    = "Consumer"
        Effect = "Allow"
        Action = ["kinesis:DescribeStreamConsumer", "kinesis:SubscribeToShard"]
        Resource = [
          "arn:aws:kinesis:eu-west-1:210987654321:stream/orders",
          "arn:aws:kinesis:eu-west-1:210987654321:stream/orders/consumer/sluice:*",
        ]
      },
      {
        Sid      = "LakeObjects"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
        Resource = ["arn:${local.partition}:s3:::lake.example/lake/orders/*"]
      },
      {
        Sid      = "LakeBucket"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
        Resource = ["arn:${local.partition}:s3:::lake.example"]
        Condition = {
          StringLikeIfExists = {
            "s3:prefix" = ["lake/orders/*"]
          }
        }
      },
      {
        Sid      = "Key"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = ["arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"]
      },
      {
        Sid      = "Delivery"
        Effect   = "Allow"
        Action   = ["firehose:DescribeDeliveryStream", "firehose:PutRecordBatch"]
        Resource = ["arn:${local.partition}:firehose:${local.region}:${local.account}:deliverystream/orders-silver"]
      },
      {
        Sid    = "DeliveredObjects"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        Resource = [
          "arn:${local.partition}:s3:::lake.example/firehose/orders/*",
          "arn:${local.partition}:s3:::lake.example/firehose-errors/orders/*",
        ]
      },
      {
        Sid      = "DeliveredBucket"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket"]
        Resource = ["arn:${local.partition}:s3:::lake.example"]
        Condition = {
          StringLikeIfExists = {
            "s3:prefix" = ["firehose/orders/*", "firehose-errors/orders/*"]
          }
        }
      },
      {
        Sid      = "DirectObjects"
        Effect   = "Allow"
        Action   = ["s3:PutObject"]
        Resource = ["arn:${local.partition}:s3:::lake.example/firehose/orders/direct/*"]
      },
      {
        Sid      = "Statements"
        Effect   = "Allow"
        Action   = ["redshift-data:BatchExecuteStatement", "redshift-data:ExecuteStatement"]
        Resource = ["arn:${local.partition}:redshift:${local.region}:${local.account}:cluster:main"]
      },
      {
        Sid    = "OwnStatements"
        Effect = "Allow"
        Action = [
          "redshift-data:CancelStatement",
          "redshift-data:DescribeStatement",
          "redshift-data:GetStatementResult",
          "redshift-data:ListStatements",
        ]
        Resource = ["*"]
        Condition = {
          StringEquals = {
            "redshift-data:statement-owner-iam-userid" = ["$${aws:userid}"]
          }
        }
      },
      {
        Sid      = "Login"
        Effect   = "Allow"
        Action   = ["redshift:GetClusterCredentialsWithIAM"]
        Resource = ["arn:${local.partition}:redshift:${local.region}:${local.account}:dbname:main/dev"]
      },
    ]
  })
}

resource "aws_iam_role" "copy" {
  name        = "sluice-orders-copy"
  description = "COPY of Redshift; associate it with the cluster or namespace, as the default role."
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          Service = ["redshift-serverless.amazonaws.com", "redshift.amazonaws.com"]
        }
        Action = "sts:AssumeRole"
      },
    ]
  })
}

resource "aws_iam_role_policy" "copy" {
  name = "sluice"
  role = aws_iam_role.copy.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "LakeObjects"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        Resource = [
          "arn:${local.partition}:s3:::lake.example/lake/orders/_sluice/load/*",
          "arn:${local.partition}:s3:::lake.example/lake/orders/gold/*",
          "arn:${local.partition}:s3:::lake.example/lake/orders/quarantine/*",
          "arn:${local.partition}:s3:::lake.example/lake/orders/silver/*",
        ]
      },
      {
        Sid      = "LakeBucket"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket"]
        Resource = ["arn:${local.partition}:s3:::lake.example"]
        Condition = {
          StringLikeIfExists = {
            "s3:prefix" = [
              "lake/orders/_sluice/load/*",
              "lake/orders/gold/*",
              "lake/orders/quarantine/*",
              "lake/orders/silver/*",
            ]
          }
        }
      },
      {
        Sid      = "Key"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"]
      },
    ]
  })
}

resource "aws_iam_role" "firehose" {
  name        = "sluice-orders-firehose"
  description = "Firehose, which writes into the bucket."
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          Service = ["firehose.amazonaws.com"]
        }
        Action = "sts:AssumeRole"
        Condition = {
          StringEquals = {
            "sts:ExternalId" = local.account
          }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy" "firehose" {
  name = "sluice"
  role = aws_iam_role.firehose.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "DeliveredObjects"
        Effect = "Allow"
        Action = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
        Resource = [
          "arn:${local.partition}:s3:::lake.example/firehose/orders/*",
          "arn:${local.partition}:s3:::lake.example/firehose-errors/orders/*",
        ]
      },
      {
        Sid      = "DeliveredBucket"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
        Resource = ["arn:${local.partition}:s3:::lake.example"]
        Condition = {
          StringLikeIfExists = {
            "s3:prefix" = ["firehose/orders/*", "firehose-errors/orders/*"]
          }
        }
      },
      {
        Sid      = "Key"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = ["arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"]
      },
      {
        Sid    = "Log"
        Effect = "Allow"
        Action = ["logs:PutLogEvents"]
        Resource = [
          "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/kinesisfirehose/orders-silver:log-stream:*",
        ]
      },
    ]
  })
}

output "host_role_arn" {
  description = "Role of the process that runs the pipeline."
  value       = aws_iam_role.host.arn
}

output "copy_role_arn" {
  description = "Role of COPY of Redshift; associate it with the cluster or namespace, as the default role."
  value       = aws_iam_role.copy.arn
}

output "firehose_role_arn" {
  description = "Role of Firehose, which writes into the bucket."
  value       = aws_iam_role.firehose.arn
}
