// One fused Adam update of libtorch, which tch does not bind: moments and parameters in a single pass over memory.

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/scalar_tensor.h>

#include <cstddef>
#include <cstring>
#include <exception>
#include <vector>

namespace {

std::vector<at::Tensor> list(at::Tensor *const *tensors, std::size_t n) {
    std::vector<at::Tensor> result;
    result.reserve(n);
    for (std::size_t i = 0; i < n; ++i) {
        result.push_back(tensors[i]->detach());
    }
    return result;
}

}  // namespace

// Updates `n` parameters in place, at step `step` counted from 1. Returns whether it succeeded; otherwise `error`, of
// `capacity` bytes, holds a message that ends in a zero byte.
extern "C" bool elbo_adam(at::Tensor *const *parameters, at::Tensor *const *gradients, at::Tensor *const *first,
                          at::Tensor *const *second, std::size_t n, double step, double learning_rate, double beta1,
                          double beta2, double epsilon, char *error, std::size_t capacity) noexcept {
    try {
        at::NoGradGuard no_grad;
        auto values = list(parameters, n);
        auto slopes = list(gradients, n);
        for (auto &slope : slopes) {
            slope = slope.contiguous();
        }
        auto m = list(first, n);
        auto v = list(second, n);
        std::vector<at::Tensor> steps;
        steps.reserve(n);
        for (const auto &value : values) {
            steps.push_back(at::scalar_tensor(step, at::TensorOptions().dtype(at::kFloat).device(value.device())));
        }
        at::_fused_adam_(values, slopes, m, v, {}, steps, learning_rate, beta1, beta2, /*weight_decay=*/0.0, epsilon,
                         /*amsgrad=*/false, /*maximize=*/false, /*grad_scale=*/{}, /*found_inf=*/{});
        return true;
    } catch (const std::exception &exception) {
        std::strncpy(error, exception.what(), capacity - 1);
        error[capacity - 1] = '\0';
    } catch (...) {
        std::strncpy(error, "unknown exception", capacity - 1);
        error[capacity - 1] = '\0';
    }
    return false;
}
