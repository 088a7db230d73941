# Databricks notebook source
# MAGIC %md
# MAGIC # Silver and gold as a declarative pipeline
# MAGIC
# MAGIC Streaming tables, materialised views, expectations and AUTO CDC, from the plan that the pipeline's configuration names:
# MAGIC `lakeforge.plan`, and `lakeforge.root` (or `lakeforge.catalog` and `lakeforge.prefix`) for the bronze tables.

# COMMAND ----------

from lakeforge.pipelines.define import define_pipeline
from lakeforge.session import active_session

define_pipeline(active_session())
