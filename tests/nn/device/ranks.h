// Ranks of one process, a thread each.
#pragma once
#include <exception>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "nn/device/ranks/collective.h"

namespace kith::test {

// f on each of `count` ranks, which is gone when its f ends. Then throws what the lowest rank threw whose f did.
inline void on_thread_ranks(int count, const std::function<void(std::shared_ptr<Collective>)>& f,
                            size_t most_bytes = size_t{1} << 30) {
  std::vector<std::shared_ptr<Collective>> ranks = thread_ranks(count, most_bytes);
  std::vector<std::exception_ptr> thrown(ranks.size());
  std::vector<std::jthread> threads;
  for (size_t r = 0; r < ranks.size(); ++r)
    threads.emplace_back([&thrown, &f, r, own = std::move(ranks[r])]() mutable {
      try {
        f(std::move(own));
      } catch (...) {
        thrown[r] = std::current_exception();
      }
      own.reset();
    });
  threads.clear();
  for (const std::exception_ptr& e : thrown)
    if (e) std::rethrow_exception(e);
}

}  // namespace kith::test
