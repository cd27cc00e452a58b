# What the pipeline `bulk-loads-of-a-dataset-whose-name-is-about-as-long-as-it-can-be` needs of an AWS account. Written by `sluice aws plan`.

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

data "aws_redshiftserverless_workgroup" "warehouse" {
  workgroup_name = "analytics"
}

locals {
  partition = data.aws_partition.current.partition
  region    = "us-gov-west-1"
  account   = data.aws_caller_identity.current.account_id
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
    id     = "abort-incomplete-uploads-bulk-orders"
    status = "Enabled"

    filter {
      prefix = "bulk/orders/"
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }
}

resource "aws_iam_role" "host" {
  name        = "sluice-bulk-loads-of-a-dataset-whose-name-is-about-59679fe0-host"
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
        Sid      = "SourceObjects"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["arn:${local.partition}:s3:::landing/in/orders/*"]
      },
      {
        Sid      = "SourceBucket"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket"]
        Resource = ["arn:${local.partition}:s3:::landing"]
        Condition = {
          StringLikeIfExists = {
            "s3:prefix" = ["in/orders/*"]
          }
        }
      },
      {
        Sid      = "SourceVersions"
        Effect   = "Allow"
        Action   = ["s3:GetObjectVersion"]
        Resource = ["arn:${local.partition}:s3:::landing/in/orders/*"]
      },
      {
        Sid      = "Queue"
        Effect   = "Allow"
        Action   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
        Resource = ["arn:${local.partition}:sqs:us-gov-west-1:123456789012:landing"]
      },
      {
        Sid      = "LakeObjects"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
        Resource = ["arn:${local.partition}:s3:::lake.example/bulk/orders/*"]
      },
      {
        Sid      = "LakeBucket"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
        Resource = ["arn:${local.partition}:s3:::lake.example"]
        Condition = {
          StringLikeIfExists = {
            "s3:prefix" = ["bulk/orders/*"]
          }
        }
      },
      {
        Sid      = "Key"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = ["arn:${local.partition}:kms:${local.region}:${local.account}:key/*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/lake"]
          }
        }
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
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = ["arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:loader-AbCdEf"]
      },
    ]
  })
}

resource "aws_iam_role" "copy" {
  name        = "sluice-bulk-loads-of-a-dataset-whose-name-is-about-59679fe0-copy"
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
          "arn:${local.partition}:s3:::lake.example/bulk/orders/_sluice/load/*",
          "arn:${local.partition}:s3:::lake.example/bulk/orders/gold/*",
          "arn:${local.partition}:s3:::lake.example/bulk/orders/quarantine/*",
          "arn:${local.partition}:s3:::lake.example/bulk/orders/silver/*",
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
              "bulk/orders/_sluice/load/*",
              "bulk/orders/gold/*",
              "bulk/orders/quarantine/*",
              "bulk/orders/silver/*",
            ]
          }
        }
      },
      {
        Sid      = "Key"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["arn:${local.partition}:kms:${local.region}:${local.account}:key/*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/lake"]
          }
        }
      },
      {
        Sid      = "UnloadedObjects"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = ["arn:${local.partition}:s3:::lake.example/bulk/orders/unload/*"]
      },
      {
        Sid      = "UnloadedBucket"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket"]
        Resource = ["arn:${local.partition}:s3:::lake.example"]
        Condition = {
          StringLikeIfExists = {
            "s3:prefix" = ["bulk/orders/unload/*"]
          }
        }
      },
      {
        Sid      = "UnloadKey"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey"]
        Resource = ["arn:${local.partition}:kms:${local.region}:${local.account}:key/*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/lake"]
          }
        }
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
