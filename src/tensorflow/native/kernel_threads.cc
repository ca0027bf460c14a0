// The threads on which kernels run: as many as TensorFlow has within an op, the caller among them. They are apart from
// TensorFlow's, which its C interface does not give out, and sleep while there is nothing to do.

#include <sched.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "kernels.h"

namespace deep_cnn {
namespace {

/** Takes numbers next to zero for zero, as TensorFlow's threads do: small gradients would else take many times as long. */
class FlushToZero {
 public:
#if defined(__x86_64__)
  FlushToZero() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }
  ~FlushToZero() { _mm_setcsr(before_); }

 private:
  const unsigned before_;
#elif defined(__aarch64__)
  FlushToZero() {
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    asm volatile("msr fpcr, %0" : : "r"(before_ | (1ull << 24)));
  }
  ~FlushToZero() { asm volatile("msr fpcr, %0" : : "r"(before_)); }

 private:
  uint64_t before_;
#endif
};

struct Job {
  void (*task)(const void *, int64_t);
  const void *work;
  int64_t count;
  std::atomic<int64_t> next{0};
  int helpers = 0;
  Job *later = nullptr;

  void help() {
    const FlushToZero flush;
    for (int64_t index = next++; index < count; index = next++) task(work, index);
  }
};

int wanted_threads() {
  const char *wanted = getenv("TF_NUM_INTRAOP_THREADS");
  const int count = wanted ? atoi(wanted) : 0;
  if (count > 0) return count;
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return CPU_COUNT(&allowed);
  return (int)std::thread::hardware_concurrency();
}

class Pool {
 public:
  void run(Job &job) {
    if (threads_ > 1 && job.count > 1) {
      std::lock_guard<std::mutex> lock(mutex_);
      start();
      Job **end = &jobs_;
      while (*end) end = &(*end)->later;
      *end = &job;
      wake_.notify_all();
    }
    job.help();
    if (threads_ <= 1 || job.count <= 1) return;
    std::unique_lock<std::mutex> lock(mutex_);
    remove(job);
    done_.wait(lock, [&] { return job.helpers == 0; });
  }

 private:
  void start() {
    if (started_) return;
    started_ = true;
    for (int i = 1; i < threads_; i++) std::thread([this] { serve(); }).detach();
  }

  void serve() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return jobs_ != nullptr; });
      Job *job = jobs_;
      job->helpers++;
      lock.unlock();
      job->help();
      lock.lock();
      remove(*job);  // it has no index left to hand out
      if (--job->helpers == 0) done_.notify_all();
    }
  }

  void remove(Job &job) {
    for (Job **at = &jobs_; *at; at = &(*at)->later) {
      if (*at != &job) continue;
      *at = job.later;
      return;
    }
  }

  const int threads_ = wanted_threads();
  bool started_ = false;
  Job *jobs_ = nullptr;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
};

}  // namespace

void parallel(int64_t count, void (*task)(const void *, int64_t), const void *work) {
  // Never destroyed: its threads run until the process ends.
  static Pool &pool = *new Pool;
  Job job;
  job.task = task;
  job.work = work;
  job.count = count;
  pool.run(job);
}

}  // namespace deep_cnn
