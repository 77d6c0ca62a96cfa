#!/usr/bin/env bash
# Writes the CRDs of Kafka, KafkaNodePool, KafkaTopic and KafkaUser out of Strimzi's own Java classes.
#   strimzi_definitions.sh VERSION FOLDER
# The generator has not been published beside every version; it reads the annotations of newer classes as well.
set -euo pipefail
version=$1
folder=$2
generator=0.45.0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>mineseal</groupId><artifactId>definitions</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>io.strimzi</groupId><artifactId>api</artifactId><version>$version</version></dependency>
    <dependency><groupId>io.strimzi</groupId><artifactId>crd-generator</artifactId><version>$generator</version></dependency>
  </dependencies>
</project>
POM
mvn --batch-mode --quiet --file "$work/pom.xml" dependency:copy-dependencies -DoutputDirectory="$work/jars"
package=io.strimzi.api.kafka.model
for kind in kafka.Kafka nodepool.KafkaNodePool topic.KafkaTopic user.KafkaUser; do
  java -cp "$work/jars/*" io.strimzi.crdgenerator.CrdGenerator --yaml --crd-api-version v1 \
    "$package.$kind=$folder/strimzi_${kind##*.}.yaml" 2>&1 | { grep -v SLF4J || true; }
done
