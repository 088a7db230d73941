# Databricks notebook source
# MAGIC %md
# MAGIC # Silver and gold by LakeForge's own writers
# MAGIC
# MAGIC All load types and rules, exactly once, with the balance sheet of each table. By hand: give the path of a plan and the
# MAGIC folder of a lake. Give the `batch_id` of the notebooks before this one to continue their batch.

# COMMAND ----------

from lakeforge.notebook import run_zones

run_zones(dbutils, ["silver", "gold"])  # noqa: F821
