// How to read a table from outside: to be copied and run as it stands. Pure.

export type Snippet = {
  id: 'duckdb' | 'pandas' | 'polars' | 'spark'
  title: string
  needs: string
  code: string
}

type Of = {
  name: string
  /** The folder of the Delta table; null where it is found by name alone. */
  location: string | null
}

/** In the order in which people of this field ask for them. A table without a folder is read by its name, on Spark. */
export function snippetsOf({ name, location }: Of): Snippet[] {
  const spark: Snippet = {
    id: 'spark',
    title: 'Spark',
    needs: location === null ? 'in a notebook of the workspace' : 'pip install pyspark delta-spark',
    code:
      location === null
        ? `df = spark.read.table(${python(name)})\ndf.show()`
        : [
            'from delta import configure_spark_with_delta_pip',
            'from pyspark.sql import SparkSession',
            '',
            'builder = (',
            '    SparkSession.builder',
            '    .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")',
            '    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")',
            ')',
            'spark = configure_spark_with_delta_pip(builder).getOrCreate()',
            `df = spark.read.format("delta").load(${python(location)})`,
            'df.show()',
          ].join('\n'),
  }
  if (location === null) return [spark]
  return [
    {
      id: 'duckdb',
      title: 'DuckDB',
      needs: 'the delta extension, which DuckDB fetches once',
      code: `install delta;\nload delta;\nselect * from delta_scan(${sqlText(location)}) limit 10;`,
    },
    {
      id: 'pandas',
      title: 'pandas',
      needs: 'pip install deltalake pandas pyarrow',
      code: `from deltalake import DeltaTable\n\ndf = DeltaTable(${python(location)}).to_pandas()\nprint(df.head(10))`,
    },
    {
      id: 'polars',
      title: 'Polars',
      // Not pl.read_delta: it loses the files of a folder with a space in its name
      needs: 'pip install polars deltalake pyarrow',
      code: `import polars as pl\nfrom deltalake import DeltaTable\n\ndf = pl.from_arrow(DeltaTable(${python(location)}).to_pyarrow_table())\nprint(df.head(10))`,
    },
    spark,
  ]
}

function sqlText(value: string): string {
  return `'${value.replaceAll("'", "''")}'`
}

// JSON's escapes are Python's too
function python(value: string): string {
  return JSON.stringify(value)
}
