# Databricks notebook source
# MAGIC %md
# MAGIC # Raw → Bronze: rows with their audit columns
# MAGIC
# MAGIC By hand: give the path of a plan (`lakeforge plan <group> --json`) and the folder of a lake. Without a run input the
# MAGIC batch takes its number from the lake's own state; with the same `batch_id` again it is a retry.

# COMMAND ----------

from lakeforge.notebook import run_zones

run_zones(dbutils, ["bronze"])  # noqa: F821
