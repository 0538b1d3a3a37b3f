#include "runtime/io/events.h"

#include <cerrno>

#include "gtest/gtest.h"
#include "proto/event.pb.h"
#include "runtime/io/fault_env.h"

namespace staticflow {
namespace {

std::vector<proto::Event> ReadAll(Env* env, const std::string& path, bool* truncated = nullptr) {
  std::vector<proto::Event> events;
  auto reader = EventReader::Open(env, path);
  EXPECT_TRUE(reader.ok()) << reader.status();
  for (proto::Event event; reader.ok();) {
    const auto more = reader->Read(&event);
    EXPECT_TRUE(more.ok()) << more.status();
    if (!more.ok() || !*more) break;
    events.push_back(event);
  }
  if (truncated != nullptr) *truncated = reader->truncated();
  return events;
}

TEST(EventsTest, WritesVersionThenEvents) {
  FaultEnv env;
  double now = 1234567890.5;
  const EventWriterOptions options = {.clock = [&] { return now++; }, .host = "host", .suffix = ""};
  auto writer = EventWriter::Create(&env, "logs/run", options);
  ASSERT_TRUE(writer.ok()) << writer.status();
  EXPECT_EQ((*writer)->path(), "logs/run/events.out.tfevents.1234567890.host");
  proto::Event event;
  event.set_step(7);
  auto* value = event.mutable_summary()->add_value();
  value->set_tag("loss");
  value->set_simple_value(0.5f);
  ASSERT_TRUE((*writer)->Write(event).ok());
  event.set_wall_time(1);
  ASSERT_TRUE((*writer)->Write(event).ok());
  ASSERT_TRUE((*writer)->Flush().ok());
  // What was flushed is durable.
  EXPECT_EQ(ReadAll(env.AfterPowerCut({}).get(), (*writer)->path()).size(), 3u);
  ASSERT_TRUE((*writer)->Close().ok());
  EXPECT_EQ((*writer)->Write(event).code(), absl::StatusCode::kFailedPrecondition);
  const auto events = ReadAll(&env, (*writer)->path());
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].file_version(), "brain.Event:2");
  EXPECT_EQ(events[0].wall_time(), 1234567890.5);
  EXPECT_EQ(events[1].wall_time(), 1234567891.5);
  EXPECT_EQ(events[1].step(), 7);
  EXPECT_EQ(events[1].summary().value(0).tag(), "loss");
  EXPECT_EQ(events[2].wall_time(), 1);
}

TEST(EventsTest, EveryWriterHasItsOwnFile) {
  FaultEnv env;
  const EventWriterOptions options = {.clock = [] { return 5.0; }, .host = "h", .suffix = ".v2"};
  EXPECT_EQ((*EventWriter::Create(&env, "logs", options))->path(), "logs/events.out.tfevents.0000000005.h.v2");
  EXPECT_EQ((*EventWriter::Create(&env, "logs", options))->path(), "logs/events.out.tfevents.0000000005.h.1.v2");
}

TEST(EventsTest, AFullDiskIsReportedAndTheRestReadable) {
  for (bool short_write : {false, true}) {
    FaultEnv env;
    auto writer = *EventWriter::Create(&env, "logs");
    proto::Event event;
    event.set_step(1);
    ASSERT_TRUE(writer->Write(event).ok());
    env.FailCall({.call = env.calls() + 1, .error = ENOSPC, .short_write = short_write});
    EXPECT_EQ(writer->Write(event).code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(writer->Write(event).code(), absl::StatusCode::kResourceExhausted);
    bool truncated = false;
    EXPECT_EQ(ReadAll(&env, writer->path(), &truncated).size(), 2u);
    EXPECT_TRUE(truncated);
  }
}

TEST(EventsTest, ReadsWhatTensorFlowWrote) {
  const auto events = ReadAll(
      PosixEnv(), "tests/golden/files/events_scalar_histogram_image_graph/events.out.tfevents.0000000000.golden");
  ASSERT_EQ(events.size(), 7u);
  EXPECT_EQ(events[0].file_version(), "brain.Event:2");
  EXPECT_TRUE(events[1].has_graph_def() || events[1].what_case() == proto::Event::kGraphDef);
  EXPECT_EQ(events[3].summary().value(0).tag(), "loss");
  EXPECT_FLOAT_EQ(events[3].summary().value(0).simple_value(), 0.06665662676095963f);
}

TEST(EventsTest, ARecordThatIsNoEventIsDataLoss) {
  FaultEnv env;
  auto file = *env.NewWritableFile("f");
  ASSERT_TRUE(RecordWriter(file.get()).Write("\xff\xff garbage").ok());
  auto reader = *EventReader::Open(&env, "f");
  proto::Event event;
  EXPECT_EQ(reader.Read(&event).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace staticflow
