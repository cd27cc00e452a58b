# What the pipeline `online-retail` needs of an AWS account. Written by `sluice aws plan`.

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

variable "create_stream" {
  description = "Whether the data stream is made."
  type        = bool
  default     = true
}

data "aws_partition" "current" {}

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

data "aws_redshiftserverless_workgroup" "warehouse" {
  workgroup_name = "sluice"
}

locals {
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id
  account   = data.aws_caller_identity.current.account_id
}

resource "aws_kinesis_stream" "source" {
  count            = var.create_stream ? 1 : 0
  name             = "online-retail"
  retention_period = 168
  encryption_type  = "KMS"
  kms_key_id       = "alias/aws/kinesis"

  stream_mode_details {
    stream_mode = "ON_DEMAND"
  }
}

resource "aws_s3_bucket" "lake" {
  count  = var.create_buckets ? 1 : 0
  bucket = "sluice-lake"
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
    id     = "abort-incomplete-uploads-lake-online-retail-firehose"
    status = "Enabled"

    filter {
      prefix = "lake/online-retail-firehose/"
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }

  rule {
    id     = "abort-incomplete-uploads-firehose-online-retail"
    status = "Enabled"

    filter {
      prefix = "firehose/online-retail/"
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }

  rule {
    id     = "abort-incomplete-uploads-firehose-errors-online-retail"
    status = "Enabled"

    filter {
      prefix = "firehose-errors/online-retail/"
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }
}

resource "aws_cloudwatch_log_group" "delivery" {
  name              = "/aws/kinesisfirehose/online-retail-silver"
  retention_in_days = 14
}

resource "aws_cloudwatch_log_stream" "delivery" {
  name           = "S3Delivery"
  log_group_name = aws_cloudwatch_log_group.delivery.name
}

resource "aws_kinesis_firehose_delivery_stream" "delivery" {
  name        = "online-retail-silver"
  destination = "extended_s3"
  depends_on  = [aws_iam_role_policy.firehose]

  server_side_encryption {
    enabled = true
  }

  extended_s3_configuration {
    role_arn            = aws_iam_role.firehose.arn
    bucket_arn          = "arn:${local.partition}:s3:::sluice-lake"
    prefix              = "firehose/online-retail/"
    error_output_prefix = "firehose-errors/online-retail/!{firehose:error-output-type}/"
    compression_format  = "GZIP"
    buffering_size      = 64
    buffering_interval  = 60

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.delivery.name
      log_stream_name = aws_cloudwatch_log_stream.delivery.name
    }
  }
}

resource "aws_iam_role" "host" {
  name        = "sluice-online-retail-host"
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
        Sid    = "Stream"
        Effect = "Allow"
        Action = [
          "kinesis:DescribeStreamSummary",
          "kinesis:GetRecords",
          "kinesis:GetShardIterator",
          "kinesis:ListShards",
        ]
        Resource = ["arn:${local.partition}:kinesis:${local.region}:${local.account}:stream/online-retail"]
      },
      {
        Sid      = "LakeObjects"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
        Resource = ["arn:${local.partition}:s3:::sluice-lake/lake/online-retail-firehose/*"]
      },
      {
        Sid      = "LakeBucket"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
        Resource = ["arn:${local.partition}:s3:::sluice-lake"]
        Condition = {
          StringLikeIfExists = {
            "s3:prefix" = ["lake/online-retail-firehose/*"]
          }
        }
      },
      {
        Sid    = "Delivery"
        Effect = "Allow"
        Action = ["firehose:DescribeDeliveryStream", "firehose:PutRecordBatch"]
        Resource = [
          "arn:${local.partition}:firehose:${local.region}:${local.account}:deliverystream/online-retail-silver",
        ]
      },
      {
        Sid    = "DeliveredObjects"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        Resource = [
          "arn:${local.partition}:s3:::sluice-lake/firehose/online-retail/*",
          "arn:${local.partition}:s3:::sluice-lake/firehose-errors/online-retail/*",
        ]
      },
      {
        Sid      = "DeliveredBucket"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket"]
        Resource = ["arn:${local.partition}:s3:::sluice-lake"]
        Condition = {
          StringLikeIfExists = {
            "s3:prefix" = ["firehose/online-retail/*", "firehose-errors/online-retail/*"]
          }
        }
      },
      {
        Sid      = "DirectObjects"
        Effect   = "Allow"
        Action   = ["s3:PutObject"]
        Resource = ["arn:${local.partition}:s3:::sluice-lake/firehose/online-retail/direct/*"]
      },
      {
        Sid      = "Statements"
        Effect   = "Allow"
        Action   = ["redshift-data:BatchExecuteStatement", "redshift-data:ExecuteStatement"]
        Resource = [data.aws_redshiftserverless_workgroup.warehouse.arn]
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
        Action   = ["redshift-serverless:GetCredentials"]
        Resource = [data.aws_redshiftserverless_workgroup.warehouse.arn]
      },
    ]
  })
}

resource "aws_iam_role" "copy" {
  name        = "sluice-online-retail-copy"
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
          "arn:${local.partition}:s3:::sluice-lake/lake/online-retail-firehose/_sluice/load/*",
          "arn:${local.partition}:s3:::sluice-lake/lake/online-retail-firehose/gold/*",
          "arn:${local.partition}:s3:::sluice-lake/lake/online-retail-firehose/quarantine/*",
          "arn:${local.partition}:s3:::sluice-lake/lake/online-retail-firehose/silver/*",
        ]
      },
      {
        Sid      = "LakeBucket"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket"]
        Resource = ["arn:${local.partition}:s3:::sluice-lake"]
        Condition = {
          StringLikeIfExists = {
            "s3:prefix" = [
              "lake/online-retail-firehose/_sluice/load/*",
              "lake/online-retail-firehose/gold/*",
              "lake/online-retail-firehose/quarantine/*",
              "lake/online-retail-firehose/silver/*",
            ]
          }
        }
      },
      {
        Sid      = "DeliveredObjects"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["arn:${local.partition}:s3:::sluice-lake/firehose/online-retail/*"]
      },
      {
        Sid      = "DeliveredBucket"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket"]
        Resource = ["arn:${local.partition}:s3:::sluice-lake"]
        Condition = {
          StringLikeIfExists = {
            "s3:prefix" = ["firehose/online-retail/*"]
          }
        }
      },
    ]
  })
}

resource "aws_iam_role" "firehose" {
  name        = "sluice-online-retail-firehose"
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
          "arn:${local.partition}:s3:::sluice-lake/firehose/online-retail/*",
          "arn:${local.partition}:s3:::sluice-lake/firehose-errors/online-retail/*",
        ]
      },
      {
        Sid      = "DeliveredBucket"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
        Resource = ["arn:${local.partition}:s3:::sluice-lake"]
        Condition = {
          StringLikeIfExists = {
            "s3:prefix" = ["firehose/online-retail/*", "firehose-errors/online-retail/*"]
          }
        }
      },
      {
        Sid    = "Log"
        Effect = "Allow"
        Action = ["logs:PutLogEvents"]
        Resource = [
          "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/kinesisfirehose/online-retail-silver:log-stream:*",
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
