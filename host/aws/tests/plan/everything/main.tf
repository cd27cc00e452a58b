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

variable "create_stream" {
  description = "Whether the data stream is made."
  type        = bool
  default     = true
}

data "aws_partition" "current" {}

locals {
  partition = data.aws_partition.current.partition
  region    = "eu-west-1"
  account   = "123456789012"
}

resource "aws_kinesis_stream" "source" {
  count            = var.create_stream ? 1 : 0
  name             = "orders"
  retention_period = 168
  encryption_type  = "KMS"
  kms_key_id       = "alias/aws/kinesis"

  stream_mode_details {
    stream_mode = "ON_DEMAND"
  }
}

resource "aws_kinesis_stream_consumer" "source" {
  name       = "sluice"
  stream_arn = "arn:${local.partition}:kinesis:${local.region}:${local.account}:stream/orders"
  depends_on = [aws_kinesis_stream.source]
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
}

resource "aws_s3_bucket" "delivery" {
  count  = var.create_buckets ? 1 : 0
  bucket = "delivered"
}

resource "aws_s3_bucket_public_access_block" "delivery" {
  count                   = var.create_buckets ? 1 : 0
  bucket                  = aws_s3_bucket.delivery[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "delivery" {
  count  = var.create_buckets ? 1 : 0
  bucket = aws_s3_bucket.delivery[0].id

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
    bucket_arn          = "arn:${local.partition}:s3:::delivered"
    prefix              = "firehose/orders/"
    error_output_prefix = "firehose-errors/orders/!{firehose:error-output-type}/"
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

resource "aws_dynamodb_table" "lease" {
  name         = "sluice-leases"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "lease"

  attribute {
    name = "lease"
    type = "S"
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
        Resource = ["arn:${local.partition}:kinesis:${local.region}:${local.account}:stream/orders"]
      },
      {
        Sid    = "Consumer"
        Effect = "Allow"
        Action = ["kinesis:DescribeStreamConsumer", "kinesis:SubscribeToShard"]
        Resource = [
          "arn:${local.partition}:kinesis:${local.region}:${local.account}:stream/orders",
          "arn:${local.partition}:kinesis:${local.region}:${local.account}:stream/orders/consumer/sluice:*",
        ]
      },
      {
        Sid    = "LakeObjects"
        Effect = "Allow"
        Action = [
          "s3:AbortMultipartUpload",
          "s3:DeleteObject",
          "s3:GetObject",
          "s3:PutObject",
          "s3:PutObjectTagging",
        ]
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
        Sid    = "Key"
        Effect = "Allow"
        Action = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = [
          "arn:${local.partition}:kms:${local.region}:${local.account}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        ]
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
          "arn:${local.partition}:s3:::delivered/firehose/orders/*",
          "arn:${local.partition}:s3:::delivered/firehose-errors/orders/*",
        ]
      },
      {
        Sid      = "DeliveredBucket"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket"]
        Resource = ["arn:${local.partition}:s3:::delivered"]
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
        Resource = ["arn:${local.partition}:s3:::delivered/firehose/orders/direct/*"]
      },
      {
        Sid      = "Lease"
        Effect   = "Allow"
        Action   = ["dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
        Resource = ["arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/sluice-leases"]
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
        Sid    = "Login"
        Effect = "Allow"
        Action = ["redshift:GetClusterCredentials"]
        Resource = [
          "arn:${local.partition}:redshift:${local.region}:${local.account}:dbuser:main/loader",
          "arn:${local.partition}:redshift:${local.region}:${local.account}:dbname:main/dev",
        ]
      },
    ]
  })
}

resource "aws_iam_role" "copy" {
  name        = "redshift-copy"
  path        = "/warehouse/"
  description = "COPY of Redshift; associate it with the cluster or namespace."
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
        Sid      = "DeliveredObjects"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["arn:${local.partition}:s3:::delivered/firehose/orders/*"]
      },
      {
        Sid      = "DeliveredBucket"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket"]
        Resource = ["arn:${local.partition}:s3:::delivered"]
        Condition = {
          StringLikeIfExists = {
            "s3:prefix" = ["firehose/orders/*"]
          }
        }
      },
      {
        Sid    = "Key"
        Effect = "Allow"
        Action = ["kms:Decrypt"]
        Resource = [
          "arn:${local.partition}:kms:${local.region}:${local.account}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        ]
      },
    ]
  })
}

resource "aws_iam_role" "unload" {
  name        = "redshift-unload"
  description = "UNLOAD of Redshift; associate it with the cluster or namespace."
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

resource "aws_iam_role_policy" "unload" {
  name = "sluice"
  role = aws_iam_role.unload.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "UnloadedObjects"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = ["arn:${local.partition}:s3:::lake.example/lake/orders/unload/*"]
      },
      {
        Sid      = "UnloadedBucket"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket"]
        Resource = ["arn:${local.partition}:s3:::lake.example"]
        Condition = {
          StringLikeIfExists = {
            "s3:prefix" = ["lake/orders/unload/*"]
          }
        }
      },
      {
        Sid    = "Key"
        Effect = "Allow"
        Action = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = [
          "arn:${local.partition}:kms:${local.region}:${local.account}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        ]
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
          "arn:${local.partition}:s3:::delivered/firehose/orders/*",
          "arn:${local.partition}:s3:::delivered/firehose-errors/orders/*",
        ]
      },
      {
        Sid      = "DeliveredBucket"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
        Resource = ["arn:${local.partition}:s3:::delivered"]
        Condition = {
          StringLikeIfExists = {
            "s3:prefix" = ["firehose/orders/*", "firehose-errors/orders/*"]
          }
        }
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
  description = "Role of COPY of Redshift; associate it with the cluster or namespace."
  value       = aws_iam_role.copy.arn
}

output "unload_role_arn" {
  description = "Role of UNLOAD of Redshift; associate it with the cluster or namespace."
  value       = aws_iam_role.unload.arn
}

output "firehose_role_arn" {
  description = "Role of Firehose, which writes into the bucket."
  value       = aws_iam_role.firehose.arn
}
