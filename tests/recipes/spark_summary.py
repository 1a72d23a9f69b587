"""Spark: the tables as data frames, here on one machine; on a cluster only the path changes."""

import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

output = sys.argv[1]
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", False).getOrCreate()
documents = spark.read.parquet(f"{output}/corpus/documents")
flags = spark.read.parquet(f"{output}/corpus/flags")

spun = f.sum((f.col("spun_probability") >= 0.5).cast("int")).alias("spun")
documents.groupBy("source").agg(f.count("*").alias("documents"), spun).orderBy("source").show()
sure = flags.where(f.col("probability") >= 0.9)
pairs = sure.groupBy("surface", "suggestion").agg(
    f.count("*").alias("flags"), f.countDistinct("doc_id").alias("documents")
)
pairs.orderBy(f.desc("flags"), "surface").show(10)
spark.stop()
