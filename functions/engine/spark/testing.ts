// For tests: how Spark is set for rows so few that its preparations would take most of the time.

/** For LAKEFORGE_SPARK_CONF: no generated code, a compiler that is quickly done, a small collector. */
export const TINY = [
  'spark.sql.codegen.wholeStage=false',
  'spark.sql.codegen.factoryMode=NO_CODEGEN',
  'spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:CICompilerCount=1',
].join(';')
